# The lines the service writes to its standard output:
#
#     D, [2026-11-22 21:38:00 UTC #4711] DEBUG -- : Created logger
#     GET /crystal - 200 (12.3µs)

require "http/server/handler"

def log(severity : Symbol, message : String)
  name = severity.to_s.upcase
  log "#{name[0]}, [#{Time.utc} ##{Process.pid}] #{name.rjust(5)} -- : #{message}"
end

# Losing a line, say to a full disk, must not fail a request.
def log(line : String)
  puts line
rescue IO::Error
end

class RequestLog
  include HTTP::Handler

  def call(context)
    start = Time.monotonic
    begin
      call_next context
    ensure
      request, status = context.request, context.response.status_code
      log "#{request.method} #{request.resource} - #{status} (#{text(Time.monotonic - start)})"
    end
  end

  private def text(elapsed : Time::Span)
    return "#{elapsed.total_minutes.round(2)}m" if elapsed >= 1.minute
    return "#{elapsed.total_seconds.round(2)}s" if elapsed >= 1.second
    return "#{elapsed.total_milliseconds.round(2)}ms" if elapsed >= 1.millisecond
    "#{elapsed.total_microseconds.round(2)}µs"
  end
end

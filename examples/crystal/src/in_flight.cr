# Counts the requests under way, so that a server told to stop can finish them.

require "http/server/handler"

class InFlight
  include HTTP::Handler

  @count = 0

  def call(context)
    @count += 1
    call_next context
    # A request is under way until its answer has been sent.
    context.response.close
  ensure
    @count -= 1
  end

  # Returns when the last request has been answered, after *limit* at the latest.
  def wait(limit : Time::Span)
    deadline = Time.monotonic + limit
    while @count > 0 && Time.monotonic < deadline
      sleep 10.milliseconds
    end
  end
end

# What the service answers, whatever the method; only these exact paths exist.

require "http/server/handler"
require "json"

class Backend
  include HTTP::Handler

  def initialize(@az : String, @code_hash : String)
  end

  def call(context)
    read_body context.request

    case context.request.path
    when "/crystal", "/crystal/"
      answer context, :ok, "text/plain", "Crystal backend: Hello! from #{@az} commit #{@code_hash}"
    when "/crystal/api", "/crystal/api/"
      answer context, :ok, "application/json",
        %({"from":"Crystal backend", "message": #{@az.to_json}, "commit": #{@code_hash.chomp.to_json}})
    when "/health"
      answer context, :ok, "text/plain", "Healthy!"
    else
      answer context, :not_found, "text/plain", "Not Found\n"
    end
  end

  private def answer(context, status : HTTP::Status, content_type : String, text : String)
    response = context.response
    response.status = status
    response.content_type = content_type
    if context.request.method == "HEAD"
      response.content_length = text.bytesize
    else
      response.print text
    end
  end

  # A body left unread would cost the client its connection.
  private def read_body(request)
    request.body.try do |body|
      body.skip_to_end
      body.close
    end
  end
end

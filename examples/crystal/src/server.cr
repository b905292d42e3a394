# The crystal service of the App Mesh Workshop.
#
# It says hello from an availability zone and names the commit it was built
# from, so that whoever calls it through a mesh can tell which version answered.
# This file reads the settings, starts the server and stops it gently; what the
# service answers stands in `backend.cr`.

require "http/server"
require "./backend"
require "./in_flight"
require "./log"

# How long requests under way may take after SIGTERM.
GRACE = 10.seconds

def setting(name : String, example : String) : String
  ENV[name]? || abort "the environment variable #{name} is not set: start the server with #{name}=#{example}"
end

# A log written to a file is read while the server runs.
STDOUT.flush_on_newline = true

log :debug, "Created logger"
log :info, "Program started"
log :warn, "Nothing to do!"

code_hash = begin
  File.read("code_hash.txt")
rescue error : File::Error
  abort "cannot read code_hash.txt: #{error.message}: start the server in the directory that holds it"
end
ip = setting "IP", "127.0.0.1"
az = setting "AZ", "'127.0.0.1 in AZ-a'"
host = ENV.fetch("HOST", "0.0.0.0")
port = ENV.fetch("PORT", "3000").to_u16? || abort "PORT=#{ENV["PORT"]} is not a port: give a number from 0 to 65535"

log :debug, "code_hash is: #{code_hash.chomp}"
log :debug, "ip is: #{ip}"
log :debug, "az is: #{az}"

in_flight = InFlight.new
server = HTTP::Server.new([
  in_flight,
  HTTP::ErrorHandler.new,
  RequestLog.new,
  HTTP::CompressHandler.new,
  Backend.new(az, code_hash),
])

address = begin
  server.bind_tcp(host, port.to_i)
rescue error : Socket::Error
  abort "cannot listen on #{host}:#{port}: #{error.message}: choose another port with PORT"
end

{Signal::TERM, Signal::INT}.each &.trap { server.close unless server.closed? }

puts "Listening on http://#{address}"
server.listen
in_flight.wait(GRACE)

-- wrk: each thread sends to one of the servers on loopback, whose `ports` are defined before.
local next_server = 0
function setup(thread)
  next_server = next_server % #ports + 1
  thread.addr = wrk.lookup("127.0.0.1", tostring(ports[next_server]))[1]
end

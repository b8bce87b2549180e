-- wrk: POST /transfer. The requests are made before the run, so that making them costs no time under load.
-- Arguments: spread | hot. Accounts are acct-1 .. acct-1000; a hot load takes everything from acct-1.
local accounts, prepared = 1000, 8192
local requests, place = {}, 0

function init(arguments)
  local hot = arguments[1] == "hot"
  math.randomseed(20260131)
  for i = 1, prepared do
    local from = hot and 1 or math.random(accounts)
    local to = math.random(accounts - 1)
    if to >= from then to = to + 1 end
    local body = string.format('{"from_account":"acct-%d","to_account":"acct-%d","amount":0.01}', from, to)
    requests[i] = wrk.format("POST", "/transfer", {["Content-Type"] = "application/json"}, body)
  end
end

function request()
  place = place % prepared + 1
  return requests[place]
end

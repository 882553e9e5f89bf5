#!/bin/sh
# The test command: the tests of the parts, and beside them those on real hosts in network
# namespaces, which share nothing with the former but the processors. Both are printed whole, one
# after the other; the hosts, whose timing counts, go first at the processors. Either one's failure is the command's.
cd "$(dirname "$0")/.." || exit 1
hosts=$(mktemp)
node_modules/.bin/mocha --config test/lan/mocharc.json >"$hosts" 2>&1 &
lan=$!
nice -n 10 node_modules/.bin/mocha
parts=$?
wait "$lan"
real=$?
cat "$hosts"
rm -f "$hosts"
exit $((parts + real))

#!/bin/sh
# The test command. First, alone: the tests on real hosts whose timing is judged. Then the tests of the
# parts, and beside them the other ones on real hosts, which share nothing with them but the
# processors; what those print comes last. Any failure is the command's.
cd "$(dirname "$0")/.." || exit 1
mocha=node_modules/.bin/mocha
hosts() {
  "$mocha" --no-config --enable-source-maps --forbid-only --timeout 180000 "$@"
}
lan=test/dist/lan
timed="$lan/once.test.js $lan/survive.test.js $lan/npm.test.js $lan/crowd.test.js"
# shellcheck disable=SC2086
hosts $timed
alone=$?
others=$(ls $lan/*.test.js | grep -vE '/(once|survive|npm|crowd)\.test\.js$')
said=$(mktemp)
# shellcheck disable=SC2086
hosts $others >"$said" 2>&1 &
beside=$!
nice -n 10 "$mocha"
parts=$?
wait "$beside"
real=$?
cat "$said"
rm -f "$said"
exit $((alone + parts + real))

#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# run.sh mailboxes|seats|schedules|pairs|ghosts|long: verifies the models of both mailboxes, of how a node is given up, of
# mailboxes on schedules, of how two average and of nodes in several processes, with Spin, and that mutated (broken) models
# are caught. `long`, which `make test` leaves out, has 17 million states: of the newest mailbox with a message in flight,
# where both readers acquire twice and not only one of them. It takes 2 GB and a minute.
# Exit status: 0 all as expected, 1 not, 77 Spin or a C compiler is missing.
set -u
here=$(cd "$(dirname "$0")" && pwd)
for tool in spin cc; do
  if ! command -v "$tool" >/dev/null 2>&1; then
    echo "SKIPPED: '$tool' is not installed; THE MODELS WERE NOT VERIFIED (apt-get install spin gcc)" >&2
    exit 77
  fi
done
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
failures=0

# build MODEL FLAGS → ./pan, where it is another one than before. Most take their compiler longer than themselves, and pan's
# own table of 2^24 entries takes longer to clear than most searches: only a `large` one gets it, and is optimised. In a
# smaller table, or without optimising, the same states are searched.
# What is searched for assertions and deadlocks alone is compiled without what looks for cycles.
optimise=-O0
table=20
cycles='-DNFAIR=3'
built=
# shellcheck disable=SC2086  # several words
build() {
  [ "$cycles $*" != "$built" ] || return 0
  built="$cycles $*"
  model=$1; shift
  if ! spin "$@" -a "$here/$model.pml" >spin.log 2>&1 || ! cc "$optimise" $cycles -DVECTORSZ=2048 -o pan pan.c 2>cc.log; then
    cat spin.log cc.log
    exit 1
  fi
}

# verdict WHAT EXPECTED(0: holds, 1: caught) PAN-FLAGS
verdict() {
  what=$1; expected=$2; shift 2
  ./pan -m10000 "-w$table" "$@" >pan.log 2>&1
  errors=$(sed -n 's/.*errors: \([0-9]*\).*/\1/p' pan.log)
  states=$(sed -n 's/ *\([0-9]*\) states, stored.*/\1/p' pan.log)
  if grep -q 'max search depth too small\|out of memory\|Search not completed' pan.log && [ "$expected" = 0 ]; then errors=incomplete; fi
  case "$expected$errors" in
    00) result=holds ;;
    1[1-9]*) result=caught ;;
    *) result="WRONG ($(head -2 pan.log | tr '\n' ' '))"; failures=$((failures + 1)) ;;
  esac
  printf '%-58s %-7s %s states\n' "$what" "$result" "$states"
}

# -noclaim: safety (assertions, deadlock); -a -f: everybody ends, under weak fairness; -a: whoever may step, fair or not,
# which says more and is found sooner, where it holds.
holds() {
  what=$1; shift
  build "$@"
  verdict "$what: safe" 0 -noclaim
}
ends() {
  what=$1; shift
  build "$@"
  verdict "$what: everybody ends" 0 -a -f
}
always_ends() {
  what=$1; shift
  build "$@"
  verdict "$what: everybody always ends" 0 -a
}
caught() {
  what=$1; shift
  build "$@"
  verdict "$what" 1 -noclaim
}
hangs() {  # what is wrong with it is that somebody does not end
  what=$1; shift
  build "$@"
  verdict "$what" 1 -a -f
}

reversed() {  # the other order of processes, where the fault is found at once
  cycles='-DNFAIR=3 -DREVERSE'
  "$@"
  cycles='-DNFAIR=3'
}
large() {  # a million states
  optimise=-O2; table=24
  case $1 in *ends) ;; *) cycles=-DSAFETY ;; esac
  "$@"
  optimise=-O0; table=20; cycles='-DNFAIR=3'
}

case ${1:-} in
mailboxes)
holds        'round'                                  round
ends         'round'                                  round
holds        'round, written in place'                round -DIN_PLACE
ends         'round, written in place'                round -DIN_PLACE
caught       'round, one slot'                        round -DSLOTS=1
caught       'round, in place, one slot'              round -DIN_PLACE -DSLOTS=1
caught       'round, in place, not all received'      round -DIN_PLACE -DNO_RECEIVE
caught       'round, update after the next publish'   round -DLATE_UPDATE
caught       'round, not all neighbours received'     round -DNO_RECEIVE
large holds  'newest'                                 newest
large always_ends 'newest'                            newest
large holds  'newest, one in flight'                  newest -DIN_FLIGHT=1 -DSECOND_ACQUIRES=1
large ends   'newest, one in flight, two versions'    newest -DIN_FLIGHT=1 -DVERSIONS=2 -DSECOND_ACQUIRES=1
caught       'newest, one buffer fewer'               newest -DFEWER_BUFFERS
caught       'newest, claim not validated'            newest -DNO_VALIDATION
caught       'newest, claim visible late'             newest -DLATE_CLAIM
caught       'newest, one header beside the window'   newest -DHEADERS=1
caught       'newest, header read late'               newest -DLATE_HEADER
caught       'newest, spare buffer not checked'       newest -DVERSIONS=4 -DUNCHECKED_SPARE
large caught 'newest, in flight, one buffer fewer'    newest -DIN_FLIGHT=1 -DVERSIONS=4 -DFEWER_BUFFERS
caught       'newest, in flight, ring too small'      newest -DIN_FLIGHT=1 -DSMALL_RING
;;
seats)
holds        'seat'                                   seat
holds        'seat, path'                             seat -DPATH
holds        'seat, written in place'                 seat -DIN_PLACE
holds        'seat, path, written in place'           seat -DIN_PLACE -DPATH
large holds  'seat, ring of four, written in place'   seat -DIN_PLACE -DRING -DROUNDS=3
holds        'seat, time is up'                       seat -DSTOP -DROUNDS=5
holds        'seat, time is up, path'                 seat -DSTOP -DROUNDS=5 -DPATH
holds        'seat, time is up, parts cut off'        seat -DSTOP -DROUNDS=5 -DAPART
holds        'seat, time is up, written in place'     seat -DSTOP -DROUNDS=5 -DIN_PLACE
holds        'seat, message before seat'              seat -DSTOP -DROUNDS=5 -DMESSAGE_FIRST
caught       'seat, given up in two steps'            seat -DLOAD_STORE
caught       'seat, entered in two steps'             seat -DPLAIN_ENTRY
caught       'seat, given up in the round'            seat -DANY_ROUND=1
caught       'seat, given up in the round before'     seat -DANY_ROUND=-1
caught       'seat, given up before the first round'  seat -DFREE_AT_START
caught       'seat, between rounds before the update' seat -DEARLY_SEAT
caught       'seat, message not looked for again'     seat -DNO_SECOND_LOOK
caught       'seat, last round lowered late'          seat -DSTOP -DROUNDS=5 -DLATE_LOWERING
caught       'seat, last round lowered too far'       seat -DSTOP -DROUNDS=5 -DPATH -DFURTHEST=1
reversed caught 'seat, last round not looked at'      seat -DSTOP -DROUNDS=5 -DAPART -DDEAF
;;
schedules)
large holds  'schedule'                               schedule
holds        'schedule, three nodes, four rounds'     schedule -DNODES=3 -DROUNDS=4
ends         'schedule, three nodes'                  schedule -DNODES=3
large holds  'schedule, written in place'             schedule -DIN_PLACE
ends         'schedule, three nodes, in place'        schedule -DNODES=3 -DIN_PLACE
caught       'schedule, readers not waited for'       schedule -DNO_WAIT
caught       'schedule, in place, not waited for'     schedule -DIN_PLACE -DNO_WAIT
caught       'schedule, done before the update'       schedule -DEARLY_DONE
caught       'schedule, waits for whom it hears'      schedule -DOWN_SOURCES
caught       'schedule, waits for another round'      schedule -DWRONG_ROUND
;;
pairs)
large holds  'pair'                                   pair
caught       'pair, own lock first'                   pair -DOWN_FIRST
caught       'pair, one lock'                         pair -DONE_LOCK
caught       'pair, read without its lock'            pair -DFREE_READ
caught       'pair, step without its lock'            pair -DFREE_STEP
caught       'pair, one copy for the curve'           pair -DOWN_COPY
reversed caught 'pair, copies at two times'           pair -DTWO_CLOCKS
;;
ghosts)
large holds  'ghost'                                  ghost
large always_ends 'ghost, two rounds'                 ghost -DROUNDS=2
reversed caught 'ghost, own message has not left'     ghost -DNO_SENT_WAIT
caught       'ghost, received while it is read'       ghost -DNO_DONE_WAIT
large caught 'ghost, one of two readers has done'     ghost -DONE_READER
caught       'ghost, done before the update'          ghost -DEARLY_DONE
holds        'stream'                                 ghost -DNEWEST
ends         'stream'                                 ghost -DNEWEST
caught       'stream, does not wait for its receiver' ghost -DNEWEST -DEAGER
caught       'stream, buffer let go too early'        ghost -DNEWEST -DRELEASED
hangs        'stream, nothing follows'                ghost -DNEWEST -DUNTOLD
;;
long)
large holds  'newest, one in flight, both twice'      newest -DIN_FLIGHT=1
large ends   'newest, in flight, two versions, both'  newest -DIN_FLIGHT=1 -DVERSIONS=2
;;
*)
  echo "usage: tests/model/run.sh mailboxes|seats|schedules|pairs|ghosts|long" >&2
  exit 2 ;;
esac
[ "$failures" = 0 ]

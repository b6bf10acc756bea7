/* SPDX-License-Identifier: BSD-3-Clause */
/* RoundMailbox on a schedule (src/channel/round_mailbox.hpp): a graph that is directed and another for every message.
 *
 * In round t node i sends to i + hop[t] and hears i − hop[t] (mod NODES), where each hop is any of 1 … NODES − 1: all
 * sequences of such graphs are checked, static directed ones among them. Before it writes round t over round t−2, a
 * node waits until who hears that one has counted it as done, behind its update.
 * Checked: no message is overwritten while it is read, a reader finds in the slot of round t nothing else, and everybody
 * ends (no deadlock). With -DIN_PLACE the update writes round t+1 while it reads round t.
 * Mutations, each of which has to be caught (run.sh):
 *   -DNO_WAIT      the writer does not wait: what is enough on a static undirected graph
 *   -DEARLY_DONE   a reader counts a message as done before its update
 *   -DOWN_SOURCES   the writer waits for those whom it hears, not for those who hear it
 *   -DWRONG_ROUND  the writer waits for the readers of round t−1, not for those of round t−2
 */
#ifndef ROUNDS
#define ROUNDS 3
#endif
#ifndef NODES
#define NODES 4
#endif
#define SLOT(i, t) ((i) * 2 + (t) % 2)
#define READER(t) ((me + hop[t]) % NODES)
#define SOURCE(t) ((me + NODES - hop[t]) % NODES)

byte hop[ROUNDS];
byte cell0[NODES * 2], cell1[NODES * 2];  /* the payload: two words that must both be t + 1 */
byte published[NODES * 2];                /* t + 1 of the round in the slot */
byte released[NODES];                      /* rounds whose messages the node will not read any more */
byte finished;

inline await_readers(t) {
#ifndef NO_WAIT
  if
  :: t >= 2 ->
#ifdef OWN_SOURCES
    released[SOURCE(t - 2)] >= t - 1
#elif defined(WRONG_ROUND)
    released[READER(t - 1)] >= t - 1
#else
    released[READER(t - 2)] >= t - 1
#endif
  :: else
  fi
#else
  skip
#endif
}

inline receive(t) {
  published[SLOT(SOURCE(t), t)] >= t + 1;  /* waits */
  assert(published[SLOT(SOURCE(t), t)] == t + 1)
}

proctype node(byte me) {
  byte t;
  for (t : 0 .. ROUNDS - 1) {
#ifdef IN_PLACE
    if :: t == 0 -> cell0[SLOT(me, t)] = t + 1; cell1[SLOT(me, t)] = t + 1 :: else fi;
#else
    await_readers(t);
    cell0[SLOT(me, t)] = t + 1;
    cell1[SLOT(me, t)] = t + 1;
#endif
    published[SLOT(me, t)] = t + 1;
    receive(t);
#ifdef EARLY_DONE
    released[me] = t + 1;
#endif
#ifdef IN_PLACE
    await_readers(t + 1);
    assert(cell0[SLOT(SOURCE(t), t)] == t + 1);
    cell0[SLOT(me, t + 1)] = t + 2;
    assert(cell1[SLOT(SOURCE(t), t)] == t + 1);
    cell1[SLOT(me, t + 1)] = t + 2;
#else
    assert(cell0[SLOT(SOURCE(t), t)] == t + 1);
    assert(cell1[SLOT(SOURCE(t), t)] == t + 1);
#endif
    released[me] = t + 1
  }
  finished++
}

init {
  byte k, k_hop;
  atomic {
    for (k : 0 .. ROUNDS - 1) { select(k_hop : 1 .. NODES - 1); hop[k] = k_hop }
    for (k : 0 .. NODES - 1) { run node(k) }
  }
}

ltl everybody_ends { <> (finished == NODES) }

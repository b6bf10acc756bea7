/* SPDX-License-Identifier: BSD-3-Clause */
/* RoundMailbox (src/channel/round_mailbox.hpp): three nodes, all neighbours, so each mailbox has two readers.
 *
 * Checked: with the algorithm's order  publish(t) → receive all z_j,t → update reads them in place → publish(t+1)
 * no message is overwritten while it is read (not torn, and of the round that was asked for); a reader finds in the
 * slot of round t nothing later than t; and everybody ends (no deadlock, although nobody acknowledges).
 * With -DIN_PLACE the update writes round t+1 while it reads round t, as exact models are: they live in the mailbox.
 * Mutations, each of which has to be caught (run.sh):
 *   -DSLOTS=1         one buffer less
 *   -DLATE_UPDATE     the update reads round t after the node has published t+1
 *   -DNO_RECEIVE      a node does not wait for all of its neighbours
 */
#ifndef SLOTS
#define SLOTS 2
#endif
#ifndef ROUNDS
#define ROUNDS 3
#endif
#define NODES 3
#define SLOT(i, t) ((i) * SLOTS + (t) % SLOTS)

byte cell0[NODES * SLOTS], cell1[NODES * SLOTS];  /* the payload: two words that must both be t + 1 */
byte published[NODES * SLOTS];                    /* t + 1 of the round in the slot */
byte finished;

inline write0(t) { cell0[SLOT(me, t)] = t + 1 }
inline write1(t) { cell1[SLOT(me, t)] = t + 1 }
inline announce(t) { published[SLOT(me, t)] = t + 1 }
inline publish(t) { write0(t); write1(t); announce(t) }

inline receive(t) {
  for (k : 1 .. NODES - 1) {
#ifdef NO_RECEIVE
    if :: k == 1 || published[SLOT((me + k) % NODES, t)] >= t + 1 :: k == 2 fi;
#else
    published[SLOT((me + k) % NODES, t)] >= t + 1;   /* waits */
    assert(published[SLOT((me + k) % NODES, t)] == t + 1)
#endif
  }
}

inline update(t) {
  for (k : 1 .. NODES - 1) {
    assert(cell0[SLOT((me + k) % NODES, t)] == t + 1);
    assert(cell1[SLOT((me + k) % NODES, t)] == t + 1)
  }
}

inline update_in_place(t) {
  for (k : 1 .. NODES - 1) {
    assert(cell0[SLOT((me + k) % NODES, t)] == t + 1)
  }
  write0(t + 1);
  for (k : 1 .. NODES - 1) {
    assert(cell1[SLOT((me + k) % NODES, t)] == t + 1)
  }
  write1(t + 1)
}

proctype node(byte me) {
  byte t, k;
  for (t : 0 .. ROUNDS - 1) {
#ifdef LATE_UPDATE
    if :: t == 0 -> publish(t) :: else fi;
    receive(t);
    if :: t + 1 < ROUNDS -> publish(t + 1) :: else fi;
    update(t)
#elif defined(IN_PLACE)
    if :: t == 0 -> write0(t); write1(t) :: else fi;
    announce(t);
    receive(t);
    update_in_place(t)
#else
    publish(t);
    receive(t);
    update(t)
#endif
  }
  finished++
}

init { atomic { run node(0); run node(1); run node(2) } }

ltl everybody_ends { <> (finished == NODES) }

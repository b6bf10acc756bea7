/* SPDX-License-Identifier: BSD-3-Clause */
/* Nodes in two processes (src/engine/spread/courier.hpp): what carries messages from a mailbox to its ghost, and back again.
 *
 * `round`, without -DNEWEST. Node 0 lives in process A, nodes 1 and 2 in process B; all hear each other. In each process a
 * courier sends what is published, from where it lies, and receives into ghosts. Both buffers are the network's from the
 * start of the send or receive to its end: it copies word after word, and looks at the sender's again at the end, so that
 * whoever writes there meanwhile is seen. Messages of one stream keep their order, those of different streams have none.
 * Checked: no message is torn, in the owner's slot, on its way or in the ghost; a reader finds the round that it asks for;
 * everybody ends.
 * Mutations, each of which has to be caught (run.sh):
 *   -DNO_SENT_WAIT     the owner does not wait until its message of two rounds ago has left
 *   -DNO_DONE_WAIT     a receive starts while readers still read what is in the ghost's slot
 *   -DONE_READER       … when one of the two readers has done with it
 *   -DEARLY_DONE       a reader counts a round as done before its update
 *
 * `newest`, with -DNEWEST. One writer; its stream, one more reader of the outbox; a ghost with one reader. A message may be
 * matched late; a plain send is complete as soon as it has left (-DEAGER), which lets messages pile up.
 * Checked: nothing torn, no version after a later one, at most one message on its way; the last version arrives.
 *   -DEAGER            the send does not wait for its receiver: more than one is on its way
 *   -DRELEASED         the stream lets its buffer go as soon as the send has started
 *   -DUNTOLD           when a send is complete nobody looks whether there is something newer
 */
#ifndef NEWEST

#ifndef ROUNDS
#define ROUNDS 3
#endif
#define NODES 3
#define JUNK 255
#define HERE(p, i) ((p == 0 && i == 0) || (p == 1 && i > 0))
/* slots: own mailboxes of 0, 1, 2; then ghosts: of 0 in B, of 1 and 2 in A */
#define SLOT(i, t) ((i) * 2 + (t) % 2)
#define GHOST(i, t) (6 + (i) * 2 + (t) % 2)
#define READS(me, i, t) (((me == 0) == (i == 0)) -> SLOT(i, t) : GHOST(i, t))

byte cell0[12], cell1[12], published[12];
byte count[NODES];     /* of each node: rounds of others that it will not read any more */
byte sent[NODES];      /* of each node: its rounds that have left */
byte ended;

proctype node(byte me) {
  byte t, k;
  for (t : 0 .. ROUNDS - 1) {
    /* write: over round t - 2 */
#ifndef NO_SENT_WAIT
    if :: t >= 2 -> sent[me] >= t - 1 :: else fi;
#endif
    cell0[SLOT(me, t)] = t + 1;
    cell1[SLOT(me, t)] = t + 1;
    atomic { count[me] = t; published[SLOT(me, t)] = t + 1 }
    for (k : 0 .. NODES - 1) {
      if
      :: k != me ->
        atomic { published[READS(me, k, t)] >= t + 1; assert(published[READS(me, k, t)] == t + 1) }
      :: else
      fi
    }
#ifdef EARLY_DONE
    count[me] = t + 1;
#endif
    for (k : 0 .. NODES - 1) {
      if
      :: k != me ->
        assert(cell0[READS(me, k, t)] == t + 1);
        assert(cell1[READS(me, k, t)] == t + 1)
      :: else
      fi
    }
  }
  atomic { count[me] = ROUNDS; ended++ }
}

/* what node i sends, from its mailbox to its ghost: the couriers' parts and the network's copy, word after word */
#define FREE(i, t) ((t) < 2 || ((i) == 0 -> (BOTH(t)) : (count[0] >= (t) - 1)))
#ifdef ONE_READER
#define BOTH(t) (count[1] >= (t) - 1 || count[2] >= (t) - 1)
#else
#define BOTH(t) (count[1] >= (t) - 1 && count[2] >= (t) - 1)
#endif
proctype receiver(byte i) {
  byte t;
  for (t : 0 .. ROUNDS - 1) {
#ifndef NO_DONE_WAIT
    FREE(i, t);
#endif
    cell0[GHOST(i, t)] = JUNK;  /* from here on the ghost's slot is the network's */
    published[SLOT(i, t)] == t + 1;
    atomic { assert(cell0[SLOT(i, t)] == t + 1); cell0[GHOST(i, t)] = t + 1 }
    atomic { assert(cell1[SLOT(i, t)] == t + 1); cell1[GHOST(i, t)] = t + 1 }
    published[GHOST(i, t)] = t + 1;
    /* the owner's slot is the network's until the send is complete, which may be later */
    assert(cell0[SLOT(i, t)] == t + 1 && cell1[SLOT(i, t)] == t + 1);
    sent[i] = t + 1
  }
}

init {
  atomic {
    byte i;
    for (i : 0 .. NODES - 1) { run node(i); run receiver(i) }
  }
}
ltl everybody_ends { <> (ended == NODES) }

#else

#ifndef VERSIONS
#define VERSIONS 4
#endif
#define NONE 255
/* the outbox: a local reader is left out (newest.pml has it), so 1 reader + 2 buffers */
byte cell0[3], cell1[3];
byte newest, buffer_of_newest = NONE, claim = NONE;
byte on_its_way, going0, going1, going_buffer = NONE;  /* the send that is under way */
byte ghost0, ghost1, ghost_version, ended;
bool is_sending;

proctype writer() {
  byte v, b;
  for (v : 1 .. VERSIONS) {
    atomic {
      b = 0;
      do :: b == buffer_of_newest || b == claim -> b++ :: else -> break od;
      assert(b < 3)
    }
    cell0[b] = v;
    cell1[b] = v;
    atomic { newest = v; buffer_of_newest = b }
  }
  ended++
}

proctype stream() {
  byte sent, v;
  do
  :: newest > sent && !is_sending ->
    atomic { v = newest; claim = buffer_of_newest; going_buffer = claim; sent = v; is_sending = true; on_its_way++ }
    assert(on_its_way <= 1);
#ifdef RELEASED
    claim = NONE;
#endif
#ifdef EAGER
    is_sending = false;
#endif
#ifdef UNTOLD
    break
#endif
  :: sent == VERSIONS && !is_sending -> break
  od;
  ended++
}

/* the other side: takes a message whenever it likes, then its send is complete */
proctype other() {
  byte a, b;
  do
  :: on_its_way > 0 ->
    a = cell0[going_buffer];
    b = cell1[going_buffer];
    assert(a == b);                 /* not torn */
    assert(a >= ghost_version);     /* never back */
    ghost0 = a;
    ghost1 = b;
    atomic { ghost_version = a; on_its_way--; is_sending = false }
  :: ghost_version == VERSIONS -> break
  od;
  ended++
}

init { atomic { run writer(); run stream(); run other() } }
ltl everybody_ends { <> (ended == 3) }
#endif

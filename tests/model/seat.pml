/* SPDX-License-Identifier: BSD-3-Clause */
/* How nodes are given up in a run with faults: RoundThreadNode's seat_ (src/engine/threads/threads_node.hpp), on two slots.
 *
 * Three nodes: all neighbours, -DPATH, or -DAPART (0 and 1 are neighbours, 2 is alone: parts that a loss has cut off);
 * or four in a -DRING. Any node may crash between any two rounds, or stand there for as long as it takes the others;
 * patience may end at any moment. Checked:
 * no message is overwritten while it is read, and who reads round t finds round t; a node's message of a round is used
 * by all its neighbours that get that far or by none, and once one of them has gone on without it nobody uses a later
 * one; who was given up publishes nothing more; nobody deadlocks: whoever lives ends all rounds. (No step is ever taken
 * twice, so that nobody is stuck means that everybody ends.)
 * With -DSTOP time may be up at any node's round (begins). Checked then: all the living that messages join end with the
 * same round, none of them breaks off in the middle of one, and parts that were cut off end, too.
 * With -DIN_PLACE the update writes round t+1 while it reads round t.
 *
 * Steps interleave sequentially consistently. What the code needs for that, beside the mailbox's pair on `published`:
 * the owner's release of 2t pairs with the acquire of whoever gives it up, and of whoever sees that later: the giving
 * up is a read-modify-write, so it continues the owner's release. Hence both know what happened before 2t: the owner's
 * reads of round t−1 are over, its round t−1 is published, and last_round is lowered if time was up for it.
 * Mutations, each of which has to be caught (run.sh):
 *   -DLOAD_STORE       a neighbour gives up with a load and a store
 *   -DPLAIN_ENTRY      a node enters its round with a load and a store
 *   -DANY_ROUND=1      a node may be given up, too, that has entered the round which is waited for (2t+1),
 *   -DANY_ROUND=-1     … or that is in the round before (2t−1)
 *   -DFREE_AT_START    … or that has not begun: its own first 2t then undoes it
 *   -DEARLY_SEAT       a node stands between two rounds from its last message on, before the update reads it
 *   -DNO_SECOND_LOOK   who sees that the sender was given up does not look for its message again
 *   -DLATE_LOWERING    last_round is lowered after 2t (STOP)
 *   -DFURTHEST=1       last_round is lowered too far (STOP, PATH)
 *   -DDEAF             who waits does not look at last_round (STOP, APART)
 * Not needed, and so to hold: -DMESSAGE_FIRST, after its wait a node looks for the message and then at the seat. Where
 * the seat or the message ended the wait neither changes any more; where last_round did, no later round is begun.
 * Left out: what lasts (delays, stalls that end in time: a step that is not taken yet), and the end by `abort`.
 */
#ifndef ROUNDS
#define ROUNDS 4
#endif
#if defined(RING)
#define NODES 4
#define JOINED(i, j) ((i + j) % 2)
#define IS_CUT (IS_GIVEN_UP(0) && IS_GIVEN_UP(2) || IS_GIVEN_UP(1) && IS_GIVEN_UP(3))
#elif defined(PATH)
#define NODES 3
#define JOINED(i, j) (i != j && (i == 1 || j == 1))
#define IS_CUT IS_GIVEN_UP(1)
#elif defined(APART)
#define NODES 3
#define JOINED(i, j) (i + j == 1)
#define IS_CUT true
#else
#define NODES 3
#define JOINED(i, j) (i != j)
#define IS_CUT false
#endif
#ifndef FURTHEST
#define FURTHEST NODES
#endif
#define SLOT(i, t) ((i) * 2 + (t) % 2)
#define TORN 255
#define NONE 255
#define GIVEN_UP 128
#define HAS(j, t) (published[SLOT(j, t)] == t + 1)
#define IS_GIVEN_UP(j) (seat[j] >= GIVEN_UP)
#define TIME_IS_UP(t) last_round > t + FURTHEST -> last_round = t + FURTHEST

byte seat[NODES];           /* 2t between rounds t−1 and t, 2t + 1 in round t, 2t + GIVEN_UP */
byte cell[NODES * 2];       /* the payload: t + 1, or TORN while it is written */
byte published[NODES * 2];  /* t + 1 of the round in the slot */
byte last_round = ROUNDS;

/* for the checks */
byte used[NODES];       /* t + 1 of the newest message of a node that was used */
byte gone_from[NODES];  /* the first round in which somebody went on without it */
byte ended = NONE;      /* with which round the living end */

inline write_begin(t) { cell[SLOT(me, t)] = TORN }
inline write_end(t) { cell[SLOT(me, t)] = t + 1 }

/* A poll that finds nothing changes nothing: so a wait is over when one of these can be done. */
inline wait_for_message() {
  if
  :: HAS(j, t)
  :: IS_GIVEN_UP(j)
#ifndef DEAF
  :: last_round <= t
#endif
#ifdef LOAD_STORE
  :: seat[j] == 2 * t -> seat[j] = 2 * t + GIVEN_UP
#else
  :: atomic { seat[j] == 2 * t -> seat[j] = 2 * t + GIVEN_UP }
#endif
#ifdef ANY_ROUND
  :: atomic { seat[j] == 2 * t + ANY_ROUND -> seat[j] = 2 * t + GIVEN_UP }
#endif
  fi
}

inline await() {
  wait_for_message();
#ifdef MESSAGE_FIRST
  is_there = HAS(j, t);
  is_lost = IS_GIVEN_UP(j);
#else
  is_lost = IS_GIVEN_UP(j);
#ifdef NO_SECOND_LOOK
  is_there = HAS(j, t) && !is_lost;
#else
  is_there = HAS(j, t);
#endif
#endif
  atomic {
    if
    :: is_there ->
      assert(HAS(j, t));
      received = received | (1 << j);
      if :: used[j] < t + 1 -> used[j] = t + 1 :: else fi
    :: !is_there && is_lost ->
      if :: gone_from[j] > t -> gone_from[j] = t :: else fi
    :: !is_there && !is_lost ->
      assert(IS_CUT);
      goto ends
    fi;
    assert(used[j] <= gone_from[j]);
    is_there = false; is_lost = false
  }
}

inline update() {
  for (j : 0 .. NODES - 1) {
    assert(!((received >> j) & 1) || cell[SLOT(j, t)] == t + 1)
  }
  j = 0; received = 0
}

proctype node(byte me) {
  byte t, j, received;  /* received: one bit a node */
  bool is_there, is_lost;
#ifdef IN_PLACE
  write_end(0);
#endif
  do
  :: true ->
    /* begins */
    atomic {
      if
#if defined(STOP) && !defined(LATE_LOWERING)
      :: TIME_IS_UP(t)
#endif
      :: t < last_round
      :: t >= last_round -> goto ends
      fi
    }
    /* takes_seat */
#ifdef EARLY_SEAT
    if :: t == 0 -> seat[me] = 0 :: else fi;
#else
    seat[me] = 2 * t;
#endif
#ifdef LATE_LOWERING
    if :: atomic { TIME_IS_UP(t) } :: true fi;
#endif
    if
    :: true -> goto leaves  /* crashes */
#ifdef PLAIN_ENTRY
    :: seat[me] == 2 * t -> seat[me] = 2 * t + 1
#else
    :: atomic { seat[me] == 2 * t -> seat[me] = 2 * t + 1 }
#endif
    :: IS_GIVEN_UP(me) -> goto leaves
    fi;
    if :: t >= last_round -> goto ends :: else fi;
    /* publish */
#ifndef IN_PLACE
    write_begin(t);
    write_end(t);
#endif
    atomic { assert(seat[me] == 2 * t + 1); published[SLOT(me, t)] = t + 1 }
    /* receive */
    do
    :: atomic { j < NODES && !JOINED(me, j) -> j++ }
    :: j < NODES && JOINED(me, j) -> await(); j++
    :: atomic { j == NODES -> j = 0; break }
    od;
#ifdef EARLY_SEAT
    seat[me] = 2 * (t + 1);
#endif
    /* update */
#ifdef IN_PLACE
    write_begin(t + 1);
    atomic { update(); write_end(t + 1) }
#else
    atomic { update() }
#endif
    t++
  od;
ends:
  atomic { assert(IS_CUT || ended == NONE || ended == t); ended = t }
leaves:
  atomic { t = 0; j = 0; received = 0; is_there = false; is_lost = false }
}

init {
  atomic {
    byte i;
    for (i : 0 .. NODES - 1) {
#ifndef FREE_AT_START
      seat[i] = 1;
#endif
      gone_from[i] = NONE;
      run node(i)
    }
    i = 0
  }
}

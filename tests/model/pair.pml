/* SPDX-License-Identifier: BSD-3-Clause */
/* Averaging of two models on threads (src/engine/threads/threads_pair_node.hpp): three nodes, all neighbours.
 *
 * Every node reads its model (to take a gradient there, with no lock), averages with whichever neighbour it draws, and
 * steps. Checked: a model is never read torn; the sum of all models changes by the nodes' own steps alone, at the end
 * and at every mark of the curve, for which whoever changes a model copies it first; nobody deadlocks. (No step is ever
 * taken twice, so that nobody is stuck means that everybody ends.) Two models change places here instead of becoming
 * their mean: that keeps the sum, too, and needs no fractions.
 *
 * Steps interleave sequentially consistently; the code's locks are acquire and release, and nothing is shared but under
 * them, the clock excepted, which never runs backwards.
 * Mutations, each of which has to be caught (run.sh):
 *   -DOWN_FIRST   a node takes its own lock first, whatever its id
 *   -DONE_LOCK    … its partner's alone
 *   -DFREE_READ   it reads its model without its lock
 *   -DFREE_STEP   it steps without its lock
 *   -DOWN_COPY    it copies its own model for the curve before both change, and not its partner's
 *   -DTWO_CLOCKS  it looks at the clock once more for its partner's copy
 */
#ifndef ITERATIONS
#define ITERATIONS 1
#endif
#define NODES 3
#define MARKS 2
#define ALL 60  /* the models' sum at the start */

byte cell0[NODES], cell1[NODES];                        /* a model: two words that must agree */
byte steps[NODES];
bit lock[NODES];
byte next[NODES];                                       /* the first mark without a copy */
byte copy[NODES * MARKS], steps_of_copy[NODES * MARKS];
byte now, finished;

inline take(i) { atomic { lock[i] == 0 -> lock[i] = 1 } }
inline give(i) { lock[i] = 0 }
inline keep_copy(i, t) {
  d_step {
    do
    :: next[i] <= t -> copy[i * MARKS + next[i]] = cell0[i]; steps_of_copy[i * MARKS + next[i]] = steps[i]; next[i]++
    :: else -> break
    od
  }
}

init {
  atomic {
    cell0[0] = 10; cell0[1] = 20; cell0[2] = 30;
    cell1[0] = 10; cell1[1] = 20; cell1[2] = 30;
    run node(0); run node(1); run node(2); run clock()
  }
}

proctype clock() {
  do
  :: now < MARKS - 1 -> now++
  :: break
  od
}

inline average() {
  d_step { word = cell0[me]; cell0[me] = cell0[other]; cell0[other] = word }
  d_step { word = cell1[me]; cell1[me] = cell1[other]; cell1[other] = word; word = 0 }
}

inline step() {
  word = cell0[me];
  d_step { cell0[me] = word - 1; word = 0; steps[me]++ }
  d_step { cell1[me]-- }
}

proctype node(byte me) {
  byte iteration, other, first, second, word, time;
  do
  :: iteration < ITERATIONS ->
#ifndef FREE_READ
    take(me);
#endif
    word = cell0[me];
    atomic { assert(cell1[me] == word); word = 0 }
#ifndef FREE_READ
    give(me);
#endif
    /* the gradient */
    if :: other = (me + 1) % NODES :: other = (me + 2) % NODES fi;
    atomic {
      if :: me < other -> first = me; second = other :: else -> first = other; second = me fi;
#if defined(OWN_FIRST) || defined(ONE_LOCK)
      first = me; second = other
#endif
    }
#ifndef ONE_LOCK
    take(first);
#endif
    take(second);
#ifndef TWO_CLOCKS
    atomic {
#endif
      time = now;
      keep_copy(me, time);
#ifdef TWO_CLOCKS
      time = now;
#endif
#ifndef OWN_COPY
      keep_copy(other, time);
#endif
#ifndef TWO_CLOCKS
    }
#endif
    average();
    give(second);
#ifndef ONE_LOCK
    give(first);
#endif
#ifndef FREE_STEP
    take(me);
#endif
    atomic { time = now; keep_copy(me, time) }
    step();
#ifndef FREE_STEP
    give(me);
#endif
    atomic { iteration++; other = 0; first = 0; second = 0; time = 0 }
  :: else -> break
  od;
  atomic {
    finished++;
    if
    :: finished == NODES ->
      assert(cell0[0] + cell0[1] + cell0[2] == ALL - NODES * ITERATIONS);
      assert(cell1[0] + cell1[1] + cell1[2] == ALL - NODES * ITERATIONS);
      /* where no change came after a mark the model at the end is the copy */
      keep_copy(0, MARKS - 1); keep_copy(1, MARKS - 1); keep_copy(2, MARKS - 1);
      for (word : 0 .. MARKS - 1) {
        assert(copy[word] + copy[MARKS + word] + copy[2 * MARKS + word] + steps_of_copy[word] +
               steps_of_copy[MARKS + word] + steps_of_copy[2 * MARKS + word] == ALL)
      }
    :: else
    fi
  }
}

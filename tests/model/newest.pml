/* SPDX-License-Identifier: BSD-3-Clause */
/* NewestMailbox (src/channel/newest_mailbox.hpp): one writer, two readers, VERSIONS messages.
 *
 * Checked: a reader never sees a torn message, one that is not visible yet, or an older one than before; it sees the
 * newest that was there when it looked; the writer always finds a free buffer (it never waits); and everybody ends.
 * Steps interleave sequentially consistently, which the code earns by seq_cst on claim and window.
 *
 * Time is `landed`: versions 1 … landed are visible. With IN_FLIGHT = 0 a message lands as it is published.
 * Mutations, each of which has to be caught (run.sh):
 *   -DFEWER_BUFFERS    one buffer less than readers + IN_FLIGHT + 2
 *   -DNO_VALIDATION    the reader does not look at the window again after its claim
 *   -DLATE_CLAIM       the claim becomes visible only after that look: a plain release store may do so
 *   -DSMALL_RING       one entry less in the ring (IN_FLIGHT > 0)
 *   -DHEADERS=1        one header beside the window, not two
 *   -DLATE_HEADER      the header beside the window is read after the second look at the window
 *   -DUNCHECKED_SPARE  the buffer set aside for the message after may be one that a reader claims
 */
#ifndef VERSIONS
#define VERSIONS 3
#endif
#ifndef IN_FLIGHT
#define IN_FLIGHT 0
#endif
#ifdef FEWER_BUFFERS
#define BUFFERS (READERS + IN_FLIGHT + 1)
#else
#define BUFFERS (READERS + IN_FLIGHT + 2)
#endif
#ifdef SMALL_RING
#define RING (IN_FLIGHT + 1)
#else
#define RING (IN_FLIGHT + 2)
#endif
#ifndef HEADERS
#define HEADERS 2
#endif
#define READERS 2
#define ACQUIRES 2
#ifndef SECOND_ACQUIRES
#define SECOND_ACQUIRES ACQUIRES  /* of the second reader */
#endif
#define NONE 255
#define OVERTAKEN(v) (window.oldest <= v && window.newest != v)  /* no longer the newest, still in the window */

byte cell0[BUFFERS], cell1[BUFFERS];  /* the payload: two words that must agree with the version */
byte ring[RING];                      /* version → buffer */
byte header[HEADERS];                 /* beside the window: of the newest versions; the word that must be the version */
byte claim[READERS];
byte landed, finished;

/* one atomic word */
typedef Window { byte newest; byte oldest; byte buffer };
Window window;

init {
  atomic {
    claim[0] = NONE; claim[1] = NONE;
    run writer(); run reader(0, ACQUIRES); run reader(1, SECOND_ACQUIRES);
    if :: IN_FLIGHT > 0 -> run clock() :: else fi
  }
}

proctype clock() {
  do
  :: atomic { landed < window.newest -> landed++ }
  :: atomic { landed == VERSIONS -> break }
  :: atomic { finished == READERS + 1 -> break }
  od
}

proctype writer() {
  byte v, r, b, oldest, k, used, window_uses;  /* used: one bit a buffer */
  byte spare = NONE;
  do
  :: true ->
    /* begin_write: after the last message once more, since it must find a buffer then, too */
    if
    :: atomic { spare != NONE && v < VERSIONS -> b = spare; spare = NONE }
    :: else ->
      atomic {
        k = window.oldest;
        do
        :: k > window.newest -> break
        :: k == 0 -> k++
        :: k > 0 && k == window.newest -> used = used | (1 << window.buffer); k++
        :: k > 0 && k < window.newest -> used = used | (1 << ring[k % RING]); k++
        od;
        k = 0; window_uses = used
      }
      do
      :: atomic { r < READERS -> if :: claim[r] != NONE -> used = used | (1 << claim[r]) :: else fi; r++ }
      :: atomic {
          r == READERS -> b = 0;
          do :: (used >> b) & 1 -> b++ :: else -> break od;
          assert(b < BUFFERS);  /* the writer never waits */
#ifdef UNCHECKED_SPARE
          used = window_uses | (1 << b); spare = 0;
#else
          spare = b + 1;
#endif
          do :: (used >> spare) & 1 -> spare++ :: else -> break od;
          if :: spare >= BUFFERS -> spare = NONE :: else fi;
          r = 0; used = 0; window_uses = 0;
          break
        }
      od
    fi;
    if :: v == VERSIONS -> break :: else fi;
    /* encode */
    cell0[b] = v + 1;
    cell1[b] = v + 1;
    /* publish, or drop when IN_FLIGHT are under way */
#if IN_FLIGHT > 0
    ring[(v + 1) % RING] = b;
#endif
    atomic {
      if :: IN_FLIGHT == 0 -> oldest = v + 1
         :: IN_FLIGHT > 0 && landed > window.oldest -> oldest = landed
         :: else -> oldest = window.oldest fi;
      if
      :: v + 1 - oldest <= IN_FLIGHT -> k = 1
      :: else
      fi
    }
    if
    :: k == 1 ->
      header[(v + 1) % HEADERS] = v + 1;
      atomic {
        v++;
        window.newest = v; window.oldest = oldest; window.buffer = b;
        if :: IN_FLIGHT == 0 -> landed = v :: else fi;
        k = 0; oldest = 0; b = 0
      }
    :: else -> atomic { oldest = 0; b = 0 }
    fi
  od;
  atomic { b = 0; finished++ }
}

proctype reader(byte me; byte acquires) {
  byte n, now, v, newest, oldest, newest_buffer, b, before, beside;
  do
  :: n < acquires ->
#if IN_FLIGHT > 0
    now = landed;
#endif
retry:
    atomic {
      newest = window.newest; oldest = window.oldest; newest_buffer = window.buffer; v = newest;
      do :: v > oldest && v > now -> v-- :: else -> break od;
      oldest = 0
    }
    if
    :: v == 0 -> atomic { claim[me] = NONE; n++; now = 0; newest = 0; newest_buffer = 0 }
    :: else ->
      atomic {
        if :: v == newest -> b = newest_buffer :: else -> b = ring[v % RING] fi;
        newest_buffer = 0
      }
      /* the header beside the window: good if v is the newest still when the window is looked at again */
#if defined(NO_VALIDATION)
      claim[me] = b;
      beside = v;
#elif defined(LATE_CLAIM)
      beside = header[v % HEADERS];
      atomic { if :: window.oldest > v -> goto retry :: OVERTAKEN(v) -> beside = v :: else fi }
      claim[me] = b;
#elif defined(LATE_HEADER)
      claim[me] = b;
      atomic { if :: window.oldest > v -> goto retry :: OVERTAKEN(v) -> beside = v :: else -> beside = 0 fi }
      if :: beside == 0 -> beside = header[v % HEADERS] :: else fi;
#else
      beside = header[v % HEADERS];
      claim[me] = b;
      atomic { if :: window.oldest > v -> goto retry :: OVERTAKEN(v) -> beside = v :: else fi }
#endif
      assert(beside == v);
      /* in place */
      assert(cell0[b] == v);                    /* not torn */
      atomic {
        assert(cell1[b] == v);
        assert(v <= landed);                    /* visible */
        assert(v >= now || v == newest);        /* the newest that had landed when it looked */
        assert(v >= before);                    /* in order */
        before = v;
        n++; now = 0; v = 0; newest = 0; b = 0; beside = 0
      }
    fi
  :: n == acquires -> break
  od;
  atomic { claim[me] = NONE; finished++; before = 0; n = 0 }  /* release; until then each is held to the next acquire */
}

ltl everybody_ends { <> (finished == READERS + 1) }

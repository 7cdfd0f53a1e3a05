/* SPDX-License-Identifier: Apache-2.0
 *
 * Damage: a record that was durable can no longer be read. What it touched is unknown, which is
 * not the same as "never had"; phase 1 decides by certain majorities and bounds, and a tail that
 * is unknown without upper end is ended by the word of an established leader. Sections 6.6 and 10
 * of docs/PROTOCOL.md.
 *
 * Bounds: three replicas, BALLOTS ballots (of replicas 0, 1, THIRD_OWNER, 1), SLOTS slots,
 * DAMAGES damages; each is found by the scan of a restart, so it also takes what was volatile. It
 * hits one slot (its ballot still readable, or not) or the tail: every slot above the commit
 * hint, whether used or not.
 *
 * Network as in paxos.pml. Disks are instant. No log is cut and there are no snapshots.
 *
 * Claims: agreement; a commit covers decided values only (L2); an unknown slot is below nobody's
 * commit and never confirmed (A8).
 */
#ifndef BALLOTS
#define BALLOTS 3
#endif
#ifndef SLOTS
#define SLOTS 1
#endif
#ifndef DAMAGES
#define DAMAGES 1
#endif
#ifndef THIRD_OWNER
#define THIRD_OWNER 2
#endif
#define OWNER(b) ((b) < 3 -> (b) - 1 : ((b) == 3 -> THIRD_OWNER : 1))
#define REPLICAS 3
#define MAJORITY 2

#define IDLE 0
#define STANDING 1
#define LEADING 2
#define OVER 3

#define NOTHING 0
#define UNKNOWN 15 /* a value that is no value; its ballot is the bound, 0: the promise bounds it */

typedef Entries { byte ballot[SLOTS + 1]; byte value[SLOTS + 1] };
typedef Marks { byte at[SLOTS + 1] };
typedef Numbers { byte at[REPLICAS + 1] };

byte promised[REPLICAS];
byte commit[REPLICAS];
byte through[REPLICAS];
Entries log[REPLICAS];

byte phase[BALLOTS + 1];
byte promisers[BALLOTS + 1];
byte greatest_commit[BALLOTS + 1];
Entries best[BALLOTS + 1];   /* the greatest certain answer */
Marks bound[BALLOTS + 1];    /* the greatest bound among the unknown answers */
Marks unknown[BALLOTS + 1];  /* 1: somebody answered unknown */
Marks certain[BALLOTS + 1];  /* how many answered certainly */
byte barrier[BALLOTS + 1];   /* the leader's barrier; 0: no room for one */
Numbers acknowledged[BALLOTS + 1];

Marks proposal[BALLOTS + 1];
byte announced[BALLOTS + 1];
byte decided[SLOTS + 1];

/* The replica whose tail is unknown (its number + 1), and the last slot + 1 that the leader of each
 * ballot named in answer to the Hello of its process; 0: nothing. */
byte tail;
byte word[BALLOTS + 1];
byte damages;
#ifdef PLANT_unpromised_answer
byte answered[BALLOTS + 1];
#endif

hidden byte s, v, last, count, k;
hidden byte usable;

#define has_promised(b, r) ((promisers[b] >> (r)) & 1)
#define is_established(b) (phase[b] == LEADING && barrier[b] != 0 && commit[OWNER(b)] >= barrier[b])

inline clear_candidacy(b)
{
  promisers[b] = 0;
  greatest_commit[b] = 0;
  for (s : 0 .. SLOTS) {
    best[b].ballot[s] = 0; best[b].value[s] = 0;
    bound[b].at[s] = 0; unknown[b].at[s] = 0; certain[b].at[s] = 0
  }
}

inline end_role(r)
{
  for (k : 1 .. BALLOTS) {
    if
    :: OWNER(k) == r && (phase[k] == STANDING || phase[k] == LEADING) ->
       phase[k] = OVER;
       barrier[k] = 0;
       clear_candidacy(k);
       for (s : 0 .. REPLICAS) { acknowledged[k].at[s] = 0 }
    :: else
    fi
  }
  k = 0; s = 0
}

/* Nobody listens to a ballot below every promise: what is left of it is set to one and the same. */
inline forget_dead_ballots()
{
#ifndef PLANT_promise_in_frames_only
  for (k : 1 .. BALLOTS) {
    if
    :: promised[0] > k && promised[1] > k && promised[2] > k ->
       phase[k] = OVER;
       announced[k] = 0;
       for (s : 0 .. SLOTS) { proposal[k].at[s] = NOTHING }
    :: else
    fi
  }
  s = 0;
#endif
  k = 0
}

inline enter(r, b)
{
  if
  :: promised[r] < b ->
     end_role(r);
     promised[r] = b;
     through[r] = commit[r];
     forget_dead_ballots()
  :: else
  fi
}

/* One slot of a Promise: a certain answer, or unknown with a bound. `before` is the promise that
 * the acceptor had before this Prepare. */
inline fold_slot(r, b, before)
{
  if
#ifdef PLANT_unknown_as_never_had
  :: log[r].value[s] == UNKNOWN -> certain[b].at[s]++
#else
  :: log[r].value[s] == UNKNOWN ->
     unknown[b].at[s] = 1;
     v = (log[r].ballot[s] != 0 -> log[r].ballot[s] : before);
     if :: v > bound[b].at[s] -> bound[b].at[s] = v :: else fi;
     v = 0
#endif
  :: log[r].value[s] == NOTHING -> certain[b].at[s]++
  :: else ->
     certain[b].at[s]++;
     if
     :: best[b].value[s] == NOTHING || log[r].ballot[s] > best[b].ballot[s] ->
        best[b].value[s] = log[r].value[s];
        best[b].ballot[s] = log[r].ballot[s]
     :: else
     fi
  fi
}

inline promise(r, b)
{
  last = promised[r];
  enter(r, b);
  promisers[b] = promisers[b] | (1 << r);
  if :: commit[r] > greatest_commit[b] -> greatest_commit[b] = commit[r] :: else fi;
  for (s : 1 .. SLOTS) { fold_slot(r, b, last) }
  s = 0; last = 0
}

inline stand(r, b)
{
  promise(r, b);
  phase[b] = STANDING
}

/* Section 6.6: (a) a certain value at or above every bound, (b) a certain majority, (c) wait. */
#ifdef PLANT_any_known_ballot
#define is_best_certain(b) (best[b].value[s] != NOTHING)
#else
#define is_best_certain(b) (best[b].value[s] != NOTHING && best[b].ballot[s] >= bound[b].at[s])
#endif
#define is_settled(b) (unknown[b].at[s] == 0 || is_best_certain(b) || certain[b].at[s] >= MAJORITY)

inline judge_candidacy(r, b)
{
  count = (promisers[b] & 1) + ((promisers[b] >> 1) & 1) + ((promisers[b] >> 2) & 1);
  usable = phase[b] == STANDING && count >= MAJORITY && commit[r] >= greatest_commit[b];
  for (s : 1 .. SLOTS) { usable = usable && (s <= commit[r] || is_settled(b)) }
  count = 0; s = 0
}

inline lead(r, b)
{
  last = commit[r];
  for (s : 1 .. SLOTS) {
    if :: s > commit[r] && best[b].value[s] != NOTHING -> last = s :: else fi
  }
  if :: last < SLOTS -> last++; barrier[b] = last :: else fi;
  for (s : 1 .. last) {
    v = log[r].value[s];
    if
    :: s <= commit[r] -> assert(v == decided[s]) /* P3 */
    :: else ->
       v = (best[b].value[s] != NOTHING -> best[b].value[s] : b);
       log[r].ballot[s] = b;
       log[r].value[s] = v
    fi;
    proposal[b].at[s] = v
  }
  through[r] = last;
  clear_candidacy(b);
  phase[b] = LEADING;
  announced[b] = commit[r];
  acknowledged[b].at[r] = last;
  s = 0; v = 0; last = 0
}

inline propose(r, b)
{
  through[r]++;
  log[r].ballot[through[r]] = b;
  log[r].value[through[r]] = b;
  proposal[b].at[through[r]] = b;
  acknowledged[b].at[r] = through[r]
}

inline decide_next(r)
{
  commit[r]++;
  assert(decided[commit[r]] == log[r].value[commit[r]]); /* L2, A8 */
  if :: through[r] < commit[r] -> through[r] = commit[r] :: else fi
}

inline leader_commit(r, b)
{
  s = commit[r] + 1;
  count = 0;
  for (k : 0 .. REPLICAS - 1) {
    if :: acknowledged[b].at[k] >= s -> count++ :: else fi
  }
  if
  :: count >= MAJORITY ->
     v = proposal[b].at[s];
     assert(decided[s] == NOTHING || decided[s] == v); /* agreement */
     decided[s] = v;
     decide_next(r);
     announced[b] = commit[r]
  :: else
  fi;
  s = 0; k = 0; v = 0; count = 0
}

inline acknowledge(r, b)
{
  if
  :: phase[b] == LEADING && acknowledged[b].at[r] < through[r] ->
     acknowledged[b].at[r] = through[r]
  :: else
  fi
}

#define confirmed(r, b) (promised[r] == b -> through[r] : commit[r])
#define next_accept(r, b) proposal[b].at[confirmed(r, b) + 1]

inline accept(r, b)
{
  enter(r, b);
  through[r]++;
  log[r].ballot[through[r]] = b;
  log[r].value[through[r]] = proposal[b].at[through[r]];
  acknowledge(r, b)
}

inline follow_commit(r, b)
{
  enter(r, b);
  if
  :: announced[b] > commit[r] && through[r] > commit[r] -> decide_next(r)
  :: else
  fi
}

inline learn(r)
{
  s = commit[r] + 1;
  log[r].value[s] = decided[s];
  log[r].ballot[s] = promised[r];
  decide_next(r);
  acknowledge(r, promised[r]);
  s = 0
}

inline restart(r)
{
  end_role(r);
  through[r] = commit[r];
#ifndef PLANT_word_to_an_older_process
  if
  :: tail == 0 || tail == r + 1 -> /* what was said was said to an earlier process */
     for (k : 0 .. BALLOTS) { word[k] = 0 }
     k = 0
  :: else
  fi;
#endif
  damages++
}

/* Every frame carries the promise; so does the superblock, before the first answer in a ballot. */
inline lose_promise(r)
{
#ifdef PLANT_promise_in_frames_only
  promised[r] = 0;
  for (s : 1 .. SLOTS) {
    if
    :: log[r].value[s] != UNKNOWN && log[r].ballot[s] > promised[r] ->
       promised[r] = log[r].ballot[s]
    :: else
    fi
  }
  s = 0
#else
  skip
#endif
}

/* The record of slot t is gone; its ballot is readable or not. Commit ends below it. */
inline lose_slot(r, t, is_readable)
{
  log[r].value[t] = UNKNOWN;
  if :: !is_readable -> log[r].ballot[t] = 0 :: else fi;
  if :: commit[r] >= t -> commit[r] = t - 1 :: else fi;
  lose_promise(r);
  restart(r)
}

/* Records are gone, and it is not known which slots above the commit hint they touched. */
inline lose_tail(r)
{
  for (s : 1 .. SLOTS) {
    if
    :: s > commit[r] ->
       log[r].ballot[s] = 0;
#ifdef PLANT_tail_ignored
       log[r].value[s] = NOTHING
#else
       log[r].value[s] = UNKNOWN
#endif
    :: else
    fi
  }
  s = 0;
  restart(r);
  tail = r + 1
}

#ifdef PLANT_word_of_a_candidate
#define may_name_last(b) (phase[b] == STANDING || phase[b] == LEADING)
#else
#define may_name_last(b) is_established(b)
#endif
#ifdef PLANT_word_to_an_older_process
#define is_asked(b) (word[b] == 0)
#else
#define is_asked(b) (word[b] == 0 && tail != 0)
#endif
#ifdef PLANT_word_of_a_deposed_leader
#define admits_word(r, b) true
#else
#define admits_word(r, b) (promised[r] <= b)
#endif

/* In answer to a Hello: the last slot of the leader's log. */
inline name_last(r, b)
{
  word[b] = through[r] + 1;
  for (s : 1 .. SLOTS) {
    if
    :: log[r].value[s] != NOTHING && log[r].value[s] != UNKNOWN && s >= word[b] -> word[b] = s + 1
    :: else
    fi
  }
  s = 0
}

/* Section 10: everything up to the named last is good again, so nothing above was lost. */
inline judge_tail(r, b)
{
  usable = word[b] != 0 && admits_word(r, b);
  for (s : 1 .. SLOTS) {
    usable = usable && (s >= word[b] || log[r].value[s] != UNKNOWN)
  }
  s = 0
}

inline end_tail(r)
{
  for (s : 1 .. SLOTS) {
    if :: log[r].value[s] == UNKNOWN -> log[r].value[s] = NOTHING :: else fi
  }
  s = 0;
  tail = 0;
  for (k : 0 .. BALLOTS) { word[k] = 0 }
  k = 0
}

#define leads(r) (promised[r] > 0 && OWNER(promised[r]) == (r) && phase[promised[r]] == LEADING)

#define ABOUT_BALLOT(b) \
  :: atomic { OWNER(b) == r && phase[b] == IDLE && promised[r] < b -> d_step { stand(r, b) } } \
  :: atomic { OWNER(b) != r && phase[b] != IDLE && promised[r] < b -> d_step { enter(r, b) } } \
  :: atomic { OWNER(b) != r && phase[b] == STANDING && promised[r] <= b && !has_promised(b, r) -> \
       d_step { promise(r, b) } } \
  :: atomic { OWNER(b) != r && promised[r] <= b && confirmed(r, b) < SLOTS && \
              next_accept(r, b) != NOTHING -> d_step { accept(r, b) } } \
  :: atomic { OWNER(b) != r && announced[b] > commit[r] && promised[r] <= b -> \
       d_step { follow_commit(r, b) } } \
  :: atomic { OWNER(b) == r && phase[b] == STANDING -> \
       d_step { judge_candidacy(r, b); if :: usable -> lead(r, b) :: else fi } } \
  :: atomic { OWNER(b) == r && phase[b] == LEADING && through[r] < SLOTS -> \
       d_step { propose(r, b) } } \
  :: atomic { OWNER(b) == r && phase[b] == LEADING && commit[r] < through[r] -> \
       d_step { leader_commit(r, b) } } \
  :: atomic { OWNER(b) == r && may_name_last(b) && is_asked(b) -> d_step { name_last(r, b) } } \
  :: atomic { tail == r + 1 && word[b] != 0 -> \
       d_step { judge_tail(r, b); if :: usable -> end_tail(r) :: else fi } }

#ifdef PLANT_unpromised_answer
#define UNPROMISED_ANSWER(b) \
  :: atomic { OWNER(b) != r && phase[b] == STANDING && promised[r] < b && answered[b] == 0 -> \
       d_step { \
         answered[b] = 1; \
         for (s : 1 .. SLOTS) { \
           if :: log[r].value[s] == NOTHING -> certain[b].at[s]++ :: else fi \
         } \
         s = 0 \
       } }
#else
#define UNPROMISED_ANSWER(b)
#endif

#define MAY_BE_DAMAGED(r, t) \
  (damages < DAMAGES && log[r].value[t] != NOTHING && log[r].value[t] != UNKNOWN)

#define MAY_LOSE_TAIL(r) (damages < DAMAGES && (tail == 0 || tail == r + 1))

#define DAMAGE_OF_SLOT(t) \
  :: atomic { MAY_BE_DAMAGED(r, t) -> d_step { lose_slot(r, t, true) } } \
  :: atomic { MAY_BE_DAMAGED(r, t) -> d_step { lose_slot(r, t, false) } } \
  :: atomic { MAY_BE_DAMAGED(r, t) && commit[r] > 0 -> commit[r] = 0; \
       d_step { lose_slot(r, t, false) } }

active [REPLICAS] proctype replica()
{
  byte r = _pid;
end:
  do
  ABOUT_BALLOT(1)
  UNPROMISED_ANSWER(1)
  ABOUT_BALLOT(2)
  UNPROMISED_ANSWER(2)
#if BALLOTS > 2
  ABOUT_BALLOT(3)
  UNPROMISED_ANSWER(3)
#endif
#if BALLOTS > 3
  ABOUT_BALLOT(4)
#endif
  :: atomic { commit[r] < SLOTS && decided[commit[r] + 1] != NOTHING && !leads(r) ->
       d_step { learn(r) } }
  DAMAGE_OF_SLOT(1)
#if SLOTS > 1
  DAMAGE_OF_SLOT(2)
#endif
  :: atomic { MAY_LOSE_TAIL(r) -> d_step { lose_tail(r) } }
  :: atomic { MAY_LOSE_TAIL(r) && commit[r] > 0 -> commit[r] = 0; d_step { lose_tail(r) } }
  od
}

/* SPDX-License-Identifier: Apache-2.0
 *
 * The log of one configuration: ballots per slot, contiguous acceptance, cumulative
 * acknowledgement, phase 1 with commit knowledge, learning, snapshots, and crashes that lose what
 * was not synced. Sections 1, 4 to 8 and 11 of docs/PROTOCOL.md.
 *
 * Bounds: three replicas, BALLOTS ballots (of replicas 0, 1, THIRD_OWNER, 1), SLOTS slots,
 * CRASHES crashes.
 *
 * Network: what was sent stays sent. An Accept may arrive late, twice or never; so may a commit.
 * A Promise is folded into the candidacy when it is sent, or is lost: a candidate that waits for
 * it and then folds does the same thing. An acknowledgement reaches a live leader at once: a
 * leader may count it as late as it likes.
 *
 * Disk: everything is durable at once, until the disk of one replica *stalls*: from there on
 * nothing becomes durable, answers that wait for the disk do not leave, and the replica ends in a
 * crash that puts back the disk as it was. A replica that does not crash cannot be told from one
 * whose disk is instant, so no behaviour is lost.
 *
 * Claims: no two commits differ (agreement); a follower's commit covers decided values only (L2);
 * at decided slots a leader proposes the decided value only (P3); an accepted ballot is at most
 * the promise (A2); slots in (commit, through] are accepted in the promise (A6); base, commit and
 * through are in order (L1).
 */
#ifndef BALLOTS
#define BALLOTS 3
#endif
#ifndef SLOTS
#define SLOTS 1
#endif
#ifndef CRASHES
#define CRASHES 1
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

/* A value is named by the ballot that first proposed it; 0 is no value. A fill or a barrier counts
 * as the proposer's own value: no claim tells them apart. Slots begin at 1. */
typedef Entries { byte ballot[SLOTS + 1]; byte value[SLOTS + 1] };
typedef Numbers { byte at[REPLICAS + 1] };

byte promised[REPLICAS];
byte base[REPLICAS];
byte commit[REPLICAS];
byte through[REPLICAS];
Entries log[REPLICAS];

/* The disk of the one replica whose disk stalls (its number + 1; 0 is none). */
byte stalled;
byte crashes;
byte disk_promised;
byte disk_commit;
Entries disk;

/* A candidacy, later leadership, for each ballot. What is no longer read is set to zero. */
byte phase[BALLOTS + 1];
byte promisers[BALLOTS + 1];
byte greatest_commit[BALLOTS + 1];
Entries best[BALLOTS + 1];
Numbers acknowledged[BALLOTS + 1];

/* Messages that stay: the value of Accept(b, s), the greatest commit announced in b. */
Entries proposal[BALLOTS + 1]; /* only .value is used */
byte announced[BALLOTS + 1];

/* What anybody ever took for decided; Entries that carry it may arrive at any time after. */
byte decided[SLOTS + 1];
byte snapshot; /* the greatest label of any snapshot */

hidden byte s, v, last, count, k;
hidden byte usable;

#define is_stalled(r) (stalled == (r) + 1)
#define has_promised(b, r) ((promisers[b] >> (r)) & 1)
#ifdef PLANT_answer_before_sync
#define may_answer(r) true
#else
#define may_answer(r) !is_stalled(r)
#endif

/* Losing leadership and candidacy; acknowledgements and promises on their way count for nothing. */
inline end_role(r)
{
  k = 1;
  do
  :: k <= BALLOTS ->
     if
     :: OWNER(k) == r && (phase[k] == STANDING || phase[k] == LEADING) ->
        phase[k] = OVER;
        clear_candidacy(k);
        for (s : 0 .. REPLICAS) { acknowledged[k].at[s] = 0 }
     :: else
     fi;
     k++
  :: else -> break
  od;
  k = 0; s = 0
}

inline clear_candidacy(b)
{
  promisers[b] = 0;
  greatest_commit[b] = 0;
  for (s : 0 .. SLOTS) { best[b].ballot[s] = 0; best[b].value[s] = 0 }
}

/* Nobody listens to a ballot below every promise: what is left of it is set to one and the same. */
inline forget_dead_ballots()
{
#ifndef PLANTED
  for (k : 1 .. BALLOTS) {
    if
    :: promised[0] > k && promised[1] > k && promised[2] > k &&
       (stalled == 0 || disk_promised > k) ->
       phase[k] = OVER;
       announced[k] = 0;
       for (s : 0 .. SLOTS) { proposal[k].value[s] = 0 }
    :: else
    fi
  }
  s = 0;
#endif
  k = 0
}

/* Section 5: the one way for a promise to move. */
inline enter(r, b)
{
  if
  :: promised[r] < b ->
     end_role(r);
     promised[r] = b;
#ifndef PLANT_stale_through
     through[r] = commit[r];
#endif
     forget_dead_ballots()
  :: else
  fi
}

/* The one number that acknowledges a prefix in b: decided, or accepted in b, and durable. */
inline acknowledge(r, b)
{
  if
  :: phase[b] == LEADING && may_answer(r) && acknowledged[b].at[r] < through[r] ->
     acknowledged[b].at[r] = through[r]
  :: else
  fi
}

/* One answer of phase 1 joins what the candidate knows (6.4, 6.5). */
inline fold(r, b)
{
  promisers[b] = promisers[b] | (1 << r);
  if :: commit[r] > greatest_commit[b] -> greatest_commit[b] = commit[r] :: else fi;
  for (s : 1 .. SLOTS) {
    if
    :: log[r].value[s] == 0
    :: log[r].value[s] != 0 && (best[b].value[s] == 0 ||
#ifdef PLANT_pick_low
         log[r].ballot[s] < best[b].ballot[s]
#else
         log[r].ballot[s] > best[b].ballot[s]
#endif
         ) ->
       best[b].value[s] = log[r].value[s];
       best[b].ballot[s] = log[r].ballot[s]
    :: else
    fi
  }
  s = 0
}

/* Invariants of one replica; with a plant only the claims about what is decided count. */
inline check(r)
{
#ifndef PLANTED
  for (s : 1 .. SLOTS) {
    assert(log[r].ballot[s] <= promised[r]);                                       /* A2 */
    assert(s <= commit[r] || s > through[r] || log[r].ballot[s] == promised[r]);   /* A6 */
    assert(s <= base[r] || s > commit[r] || log[r].value[s] == decided[s])         /* C */
  }
  assert(base[r] <= commit[r] && commit[r] <= through[r]);                         /* L1 */
#endif
  s = 0
}

/* Raising the commit of r over the next slot, whose local value must be the decided one. */
inline decide_next(r)
{
  commit[r]++;
  assert(decided[commit[r]] == log[r].value[commit[r]]); /* L2 */
  if :: through[r] < commit[r] -> through[r] = commit[r] :: else fi
}

inline stand(r, b)
{
  enter(r, b);
  phase[b] = STANDING;
  fold(r, b)
}

/* 6.5: slots up to the greatest commit must have been learned before anything is proposed. */
inline judge_candidacy(r, b)
{
  count = (promisers[b] & 1) + ((promisers[b] >> 1) & 1) + ((promisers[b] >> 2) & 1);
  usable = phase[b] == STANDING && count >= MAJORITY;
#if defined(PLANT_learn_by_ballot) || defined(PLANT_fill_over_cut)
  for (s : 1 .. SLOTS) {
    if
    :: s > commit[r] && s <= greatest_commit[b] ->
#ifdef PLANT_learn_by_ballot
       usable = usable && best[b].value[s] != 0
#else
       usable = usable && best[b].value[s] == 0
#endif
    :: else
    fi
  }
#else
  usable = usable && commit[r] >= greatest_commit[b];
#endif
  count = 0; s = 0
}

/* 6.6 and 6.9: what phase 1 found, fills between, and a barrier behind. */
inline lead(r, b)
{
  last = commit[r];
  for (s : 1 .. SLOTS) {
    if :: s > commit[r] && best[b].value[s] != 0 -> last = s :: else fi
  }
  if :: last < SLOTS -> last++ :: else fi;
  for (s : 1 .. SLOTS) {
    if
    :: s <= commit[r] ->
       v = log[r].value[s];
       assert(v == 0 || v == decided[s]) /* P3; 0: only the snapshot has it */
    :: s > commit[r] && s <= last ->
       v = (best[b].value[s] != 0 -> best[b].value[s] : b);
#ifdef PLANT_own_value
       v = b;
#endif
       log[r].ballot[s] = b;
       log[r].value[s] = v
    :: else -> v = 0
    fi;
    proposal[b].value[s] = v
  }
  through[r] = last;
  clear_candidacy(b);
  phase[b] = LEADING;
  announced[b] = commit[r];
  count_own(r, b);
  check(r);
  v = 0; last = 0
}

inline count_own(r, b)
{
#ifdef PLANT_leader_counts_itself_early
  acknowledged[b].at[r] = through[r]
#else
  if :: may_answer(r) -> acknowledged[b].at[r] = through[r] :: else fi
#endif
}

inline propose(r, b)
{
  through[r]++;
  log[r].ballot[through[r]] = b;
  log[r].value[through[r]] = b;
  proposal[b].value[through[r]] = b;
  count_own(r, b)
}

/* Section 7: the leader commits the majority-th greatest acknowledged prefix, here slot by slot. */
inline leader_commit(r, b)
{
  s = commit[r] + 1;
  count = 0;
  for (k : 0 .. REPLICAS - 1) {
    if :: acknowledged[b].at[k] >= s -> count++ :: else fi
  }
  if
  :: count >= MAJORITY ->
     v = proposal[b].value[s];
     assert(decided[s] == 0 || decided[s] == v); /* agreement */
     decided[s] = v;
     decide_next(r);
     announced[b] = commit[r]
  :: else
  fi;
  s = 0; k = 0; v = 0; count = 0
}

#ifdef PLANT_no_promise_check
#define admits(r, b) true
#else
#define admits(r, b) (promised[r] <= b)
#endif
#define confirmed(r, b) (promised[r] == b -> through[r] : commit[r])
#define next_accept(r, b) proposal[b].value[confirmed(r, b) + 1]

/* A follower takes the next slot of the stream of ballot b, makes it durable and acknowledges. */
inline accept(r, b)
{
  enter(r, b);
  s = confirmed(r, b) + 1;
  log[r].ballot[s] = b;
  log[r].value[s] = proposal[b].value[s];
  through[r] = s;
  acknowledge(r, b);
  check(r)
}

/* A follower hears the commit of ballot b: min(commit, through), and never min(commit, last). */
inline follow_commit(r, b)
{
  enter(r, b);
  if
  :: announced[b] <= commit[r]
#ifdef PLANT_commit_past_through
  :: announced[b] > commit[r] && log[r].value[commit[r] + 1] != 0 -> decide_next(r)
#else
  :: announced[b] > commit[r] && through[r] > commit[r] -> decide_next(r)
#endif
  :: else
  fi;
  check(r)
}

/* Section 8: a learned value is written as accepted in the learner's own promise, and acknowledged
 * only in that ballot. */
inline learn(r)
{
  s = commit[r] + 1;
  log[r].value[s] = decided[s];
#ifdef PLANT_stamp_null
  log[r].ballot[s] = 0;
#else
  log[r].ballot[s] = promised[r];
#endif
  decide_next(r);
  acknowledge(r, promised[r]);
  check(r)
}

inline cut(r)
{
  base[r]++;
  log[r].ballot[base[r]] = 0;
  log[r].value[base[r]] = 0;
  if :: base[r] > snapshot -> snapshot = base[r] :: else fi
}

inline install(r)
{
  for (s : 1 .. SLOTS) {
#ifndef PLANT_snapshot_wipes
    if
    :: s <= snapshot -> log[r].ballot[s] = 0; log[r].value[s] = 0
    :: else
    fi
#else
    log[r].ballot[s] = 0; log[r].value[s] = 0
#endif
  }
  base[r] = snapshot;
  commit[r] = snapshot;
#ifdef PLANT_snapshot_wipes
  through[r] = snapshot;
#endif
  if :: through[r] < snapshot -> through[r] = snapshot :: else fi;
  acknowledge(r, promised[r]);
  check(r)
}

inline stall(r)
{
  stalled = r + 1;
  disk_promised = promised[r];
  disk_commit = commit[r];
  for (s : 1 .. SLOTS) {
    disk.ballot[s] = log[r].ballot[s];
    disk.value[s] = log[r].value[s]
  }
  s = 0
}

/* The end of a process and the start of the next. The commit that survives is the hint, or less. */
inline crash(r)
{
  end_role(r);
  promised[r] = disk_promised;
#ifdef PLANT_promise_lost
  promised[r] = 0;
#endif
  for (s : 1 .. SLOTS) {
    log[r].ballot[s] = disk.ballot[s];
    log[r].value[s] = disk.value[s];
#ifdef PLANT_promise_lost
    if :: log[r].ballot[s] > promised[r] -> promised[r] = log[r].ballot[s] :: else fi;
#endif
#ifdef PLANT_disk_loss
    log[r].ballot[s] = 0; log[r].value[s] = 0;
#endif
    disk.ballot[s] = 0; disk.value[s] = 0
  }
#ifdef PLANT_disk_loss
  promised[r] = 0; base[r] = 0; commit[r] = 0;
#endif
  through[r] = commit[r];
#ifdef PLANT_restart_confirms
  for (s : 1 .. SLOTS) {
    if :: s > commit[r] && log[r].value[s] != 0 -> through[r] = s :: else fi
  }
#endif
  disk_promised = 0; disk_commit = 0; stalled = 0;
  crashes++;
  s = 0
}

#define leads(r) (promised[r] > 0 && OWNER(promised[r]) == (r) && phase[promised[r]] == LEADING)

/* What replica r may do about ballot b. */
#define ABOUT_BALLOT(b) \
  :: atomic { OWNER(b) == r && phase[b] == IDLE && promised[r] < b && !is_stalled(r) -> \
       d_step { stand(r, b) } } \
  :: atomic { OWNER(b) != r && phase[b] != IDLE && promised[r] < b -> d_step { enter(r, b) } } \
  :: atomic { OWNER(b) != r && phase[b] == STANDING && promised[r] <= b && may_answer(r) && \
              !has_promised(b, r) -> d_step { enter(r, b); fold(r, b) } } \
  :: atomic { OWNER(b) != r && confirmed(r, b) < SLOTS && next_accept(r, b) != 0 && \
              admits(r, b) -> d_step { accept(r, b) } } \
  :: atomic { OWNER(b) != r && announced[b] > commit[r] && promised[r] <= b -> \
       d_step { follow_commit(r, b) } } \
  :: atomic { OWNER(b) == r && phase[b] == STANDING -> \
       d_step { judge_candidacy(r, b); if :: usable -> lead(r, b) :: else fi } } \
  :: atomic { OWNER(b) == r && phase[b] == LEADING && through[r] < SLOTS -> \
       d_step { propose(r, b) } } \
  :: atomic { OWNER(b) == r && phase[b] == LEADING && commit[r] < through[r] -> \
       d_step { leader_commit(r, b) } }

active [REPLICAS] proctype replica()
{
  byte r = _pid;
end:
  do
  ABOUT_BALLOT(1)
  ABOUT_BALLOT(2)
#if BALLOTS > 2
  ABOUT_BALLOT(3)
#endif
#if BALLOTS > 3
  ABOUT_BALLOT(4)
#endif
  :: atomic { commit[r] < SLOTS && decided[commit[r] + 1] != 0 && !leads(r) ->
       d_step { learn(r) } }
#ifndef NO_SNAPSHOTS
  :: atomic { base[r] < commit[r] && !is_stalled(r) -> d_step { cut(r) } }
  :: atomic { snapshot > commit[r] && !is_stalled(r) && !leads(r) -> d_step { install(r) } }
#endif
#if CRASHES > 0
  :: atomic { crashes < CRASHES && stalled == 0 -> d_step { stall(r) } }
  :: atomic { is_stalled(r) -> commit[r] = base[r]; d_step { crash(r) } }
  :: atomic { is_stalled(r) && disk_commit > base[r] -> commit[r] = disk_commit;
       d_step { crash(r) } }
#endif
  od
}

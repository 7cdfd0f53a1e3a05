/* SPDX-License-Identifier: Apache-2.0
 *
 * Reconfiguration: a stop-sign ends the first configuration; replicas enter the second one
 * durably; its first leader may skip phase 1 once. Section 12 of docs/PROTOCOL.md, and 6.7.
 *
 * Bounds: four replicas; the first configuration is {0, 1, 2}, the second {0, 1, 3}. OLD_BALLOTS
 * ballots in the first (of replicas 0, 1, 2); in the second round 0 of its first leader, replica
 * 1, and NEW_BALLOTS of round 1 (of replicas 0, 3). SLOTS slots, of which any may hold the
 * stop-sign; CRASHES crashes with a stalled disk as in paxos.pml. Network as there. A leader of
 * the first configuration may propose a stop-sign before it is established, and without a
 * barrier: more than the protocol allows. No log is cut and there are no snapshots.
 *
 * Claims: agreement across configurations; above the stop slot only values first proposed in the
 * second configuration are decided (void slots, C1); a commit covers decided values only (L2);
 * once a majority of the second configuration has reported that it entered, and the old members
 * may retire, a majority of it has entered for good.
 */
#ifndef OLD_BALLOTS
#define OLD_BALLOTS 2
#endif
#ifndef NEW_BALLOTS
#define NEW_BALLOTS 1
#endif
#ifndef SLOTS
#define SLOTS 2
#endif
#ifndef CRASHES
#define CRASHES 1
#endif
#define REPLICAS 4
#define MAJORITY 2
#define OLD 7 /* members as bits */
#define NEW 11
#define FIRST_LEADER 1

/* Ballots in their order. The null ballot of the second configuration is nobody's. */
#define NULL_BALLOT (OLD_BALLOTS + 1)
#define ROUND_ZERO (OLD_BALLOTS + 2)
#define BALLOTS (ROUND_ZERO + NEW_BALLOTS)
#define is_new(b) ((b) >= NULL_BALLOT)
#define OWNER(b) ((b) <= OLD_BALLOTS -> (b) - 1 : ((b) == ROUND_ZERO -> FIRST_LEADER : \
                  ((b) == ROUND_ZERO + 1 -> 0 : 3)))

#define IDLE 0
#define STANDING 1
#define LEADING 2
#define OVER 3

/* A value is the ballot that first proposed it, + 16 in the second life of the first leader. */
#define NOTHING 0
#define STOP_SIGN 15
#define is_value_of_new(v) (((v) & 15) != STOP_SIGN && is_new((v) & 15))

typedef Entries { byte ballot[SLOTS + 1]; byte value[SLOTS + 1] };
typedef Marks { byte at[SLOTS + 1] };
typedef Numbers { byte at[REPLICAS] };

byte promised[REPLICAS];
byte commit[REPLICAS];
byte through[REPLICAS];
byte entered[REPLICAS]; /* in the superblock: the stop slot of the first configuration, or 0 */
Entries log[REPLICAS];

byte stalled;
byte crashes;
byte disk_promised;
byte disk_commit;
byte disk_entered;
Entries disk;

byte phase[BALLOTS + 1];
byte promisers[BALLOTS + 1];
byte greatest_commit[BALLOTS + 1];
Entries best[BALLOTS + 1];
Numbers acknowledged[BALLOTS + 1];

Marks proposal[BALLOTS + 1];
byte announced[BALLOTS + 1];
byte decided[SLOTS + 1];
byte stop;     /* the decided stop slot */
byte reported; /* who of the second configuration reported that it entered, as bits */

hidden byte s, v, last, count, k;
hidden byte usable;

#define is_stalled(r) (stalled == (r) + 1)
#define has_promised(b, r) ((promisers[b] >> (r)) & 1)
#define members(b) (is_new(b) -> NEW : OLD)
#define is_member(r, b) ((members(b) >> (r)) & 1)
#define size_of(set) (((set) & 1) + (((set) >> 1) & 1) + (((set) >> 2) & 1) + (((set) >> 3) & 1))
/* A leader commits the majority-th prefix at once. Here it goes slot by slot, so with a plant that
 * puts something behind a stop-sign, knowing the stop must not come between. */
#if defined(PLANT_pipeline_past_stop) || defined(PLANT_adopt_behind_stop)
#define JUMPS_OVER_THE_STOP
#endif
#ifdef JUMPS_OVER_THE_STOP
#define knows_the_stop(r) false
#else
#define knows_the_stop(r) (stop != 0 && commit[r] >= stop)
#endif
/* 12.3, 12.5: in the old configuration until the stop is known, in the new one once it entered. */
#define acts_in(r, b) \
  (is_member(r, b) && (is_new(b) -> entered[r] != 0 : entered[r] == 0 && !knows_the_stop(r)))

inline clear_candidacy(b)
{
  promisers[b] = 0;
  greatest_commit[b] = 0;
  for (s : 0 .. SLOTS) { best[b].ballot[s] = 0; best[b].value[s] = NOTHING }
}

inline end_role(r)
{
  for (k : 1 .. BALLOTS) {
    if
    :: OWNER(k) == r && (phase[k] == STANDING || phase[k] == LEADING) ->
       phase[k] = OVER;
       clear_candidacy(k);
#ifndef PLANT_round_zero_reused
       for (s : 0 .. REPLICAS - 1) { acknowledged[k].at[s] = 0 }
#endif
    :: else
    fi
  }
  k = 0; s = 0
}

/* Nobody listens to a ballot below every promise: what is left of it is set to one and the same. */
inline forget_dead_ballots()
{
  for (k : 1 .. BALLOTS) {
    if
    :: promised[0] > k && promised[1] > k && (is_new(k) || promised[2] > k) &&
       (!is_new(k) || promised[3] > k) && (stalled == 0 || disk_promised > k) ->
       phase[k] = OVER;
       announced[k] = 0;
       for (s : 0 .. SLOTS) { proposal[k].at[s] = NOTHING }
    :: else
    fi
  }
  s = 0; k = 0
}

inline enter_ballot(r, b)
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

#ifdef PLANT_void_slots_return
#define is_void(r, b) false
#else
#define is_void(r, b) (is_new(b) != is_new(log[r].ballot[s]))
#endif

inline fold(r, b)
{
  promisers[b] = promisers[b] | (1 << r);
  if :: commit[r] > greatest_commit[b] -> greatest_commit[b] = commit[r] :: else fi;
  for (s : 1 .. SLOTS) {
    if
    :: log[r].value[s] != NOTHING && !is_void(r, b) &&
       (best[b].value[s] == NOTHING || log[r].ballot[s] > best[b].ballot[s]) ->
       best[b].value[s] = log[r].value[s];
       best[b].ballot[s] = log[r].ballot[s]
    :: else
    fi
  }
  s = 0
}

inline stand(r, b)
{
  enter_ballot(r, b);
  phase[b] = STANDING;
  fold(r, b)
}

#define is_elected(r, b) \
  (phase[b] == STANDING && size_of(promisers[b] & members(b)) >= MAJORITY && \
   commit[r] >= greatest_commit[b])

/* 6.6, 6.7, 6.9: what phase 1 found, nothing behind a stop-sign, and a barrier. */
inline lead(r, b)
{
  last = commit[r];
  for (s : 1 .. SLOTS) {
    if :: s > commit[r] && best[b].value[s] != NOTHING -> last = s :: else fi
  }
#ifndef PLANT_adopt_behind_stop
  for (s : 1 .. SLOTS) {
    if
    :: s > commit[r] && s < last && best[b].value[s] == STOP_SIGN -> last = s
    :: else
    fi
  }
#endif
  if
  :: is_new(b) && last < SLOTS -> last++ /* in the old configuration propose() does it, or not */
  :: else
  fi;
  for (s : 1 .. last) {
    if
    :: s > commit[r] ->
       v = (best[b].value[s] != NOTHING -> best[b].value[s] : b);
       log[r].ballot[s] = b;
       log[r].value[s] = v;
       proposal[b].at[s] = v
    :: else -> proposal[b].at[s] = (s > entered[r] -> log[r].value[s] : NOTHING)
    fi
  }
  through[r] = last;
  clear_candidacy(b);
  phase[b] = LEADING;
  if :: !is_stalled(r) -> acknowledged[b].at[r] = last :: else fi;
  s = 0; v = 0; last = 0
}

/* 12.4: round 0, once, without phase 1; the promise is in the superblock before anything is
 * sent. */
#ifdef PLANT_round_zero_reused
#define may_skip_phase_one(r) (promised[r] < ROUND_ZERO)
#else
#define may_skip_phase_one(r) (promised[r] < ROUND_ZERO && !is_stalled(r))
#endif
#define own_value(b) ((b) == ROUND_ZERO && crashes > 0 -> (b) + 16 : (b))

inline lead_without_phase_one(r)
{
  enter_ballot(r, ROUND_ZERO);
  phase[ROUND_ZERO] = LEADING;
  v = own_value(ROUND_ZERO);
  if :: through[r] < SLOTS -> propose(r, ROUND_ZERO) :: else fi;
  v = NOTHING
}

/* Value v, in the next slot. */
inline propose(r, b)
{
  through[r]++;
  log[r].ballot[through[r]] = b;
  log[r].value[through[r]] = v;
  proposal[b].at[through[r]] = v;
  if :: !is_stalled(r) -> acknowledged[b].at[r] = through[r] :: else fi;
  v = NOTHING
}

#ifdef PLANT_pipeline_past_stop
#define may_propose(r) (through[r] < SLOTS)
#else
#define may_propose(r) (through[r] < SLOTS && log[r].value[through[r]] != STOP_SIGN) /* P6 */
#endif

inline decide_next(r)
{
  commit[r]++;
  assert(decided[commit[r]] == log[r].value[commit[r]]); /* L2 */
  if :: through[r] < commit[r] -> through[r] = commit[r] :: else fi;
#ifndef JUMPS_OVER_THE_STOP
  if :: decided[commit[r]] == STOP_SIGN -> end_role(r) :: else fi
#endif
}

inline leader_commit(r, b)
{
  s = commit[r] + 1;
  count = 0;
  for (k : 0 .. REPLICAS - 1) {
    if :: is_member(k, b) && acknowledged[b].at[k] >= s -> count++ :: else fi
  }
  if
  :: count >= MAJORITY ->
     v = proposal[b].at[s];
     assert(decided[s] == NOTHING || decided[s] == v);        /* agreement */
     assert(stop == 0 || s <= stop || is_value_of_new(v));    /* void slots, C1 */
     decided[s] = v;
     if :: v == STOP_SIGN -> stop = s :: else announced[b] = s fi;
     decide_next(r)
  :: else
  fi;
  s = 0; k = 0; v = 0; count = 0
}

#define confirmed(r, b) (promised[r] == b -> through[r] : commit[r])
#define next_accept(r, b) proposal[b].at[confirmed(r, b) + 1]

inline acknowledge(r, b)
{
  if
  :: phase[b] == LEADING && is_member(r, b) && !is_stalled(r) &&
     acknowledged[b].at[r] < through[r] -> acknowledged[b].at[r] = through[r]
  :: else
  fi
}

inline accept(r, b)
{
  enter_ballot(r, b);
  through[r]++;
  log[r].ballot[through[r]] = b;
  log[r].value[through[r]] = proposal[b].at[through[r]];
  acknowledge(r, b)
}

inline follow_commit(r, b)
{
  enter_ballot(r, b);
  if
  :: announced[b] > commit[r] && through[r] > commit[r] -> decide_next(r)
  :: else
  fi
}

/* The stop-sign is learned from somebody who entered: nobody else reports that commit (12.3). */
#define is_served(n) \
  ((n) <= SLOTS && decided[n] != NOTHING && ((n) != stop || reported != 0))
#define may_learn(r) \
  (is_served(commit[r] + 1) && (commit[r] != stop || stop == 0 || entered[r] != 0))

inline learn(r)
{
  s = commit[r] + 1;
  log[r].value[s] = decided[s];
  log[r].ballot[s] = promised[r];
  decide_next(r);
  acknowledge(r, promised[r]);
  s = 0
}

/* 12.3. With the plant early_join a replica enters as soon as it has accepted a
 * stop-sign, or is told by somebody who did. */
inline enter_configuration(r, slot)
{
  end_role(r);
  entered[r] = slot;
  if :: promised[r] < NULL_BALLOT -> promised[r] = NULL_BALLOT :: else fi;
  if :: commit[r] < slot -> commit[r] = slot :: else fi;
  through[r] = commit[r];
#ifndef PLANT_void_slots_return
  for (s : 1 .. SLOTS) {
    if
    :: s > slot && !is_new(log[r].ballot[s]) ->
       log[r].ballot[s] = 0;
       log[r].value[s] = NOTHING
    :: else
    fi
  }
  s = 0;
#endif
  reported = reported | (1 << r);
  forget_dead_ballots()
}

#ifdef PLANT_enter_not_durable
#define may_enter(r) true
#else
#define may_enter(r) (!is_stalled(r))
#endif

inline stall(r)
{
  stalled = r + 1;
  disk_promised = promised[r];
  disk_commit = commit[r];
  disk_entered = entered[r];
  for (s : 1 .. SLOTS) {
    disk.ballot[s] = log[r].ballot[s];
    disk.value[s] = log[r].value[s]
  }
  s = 0
}

inline crash(r)
{
  end_role(r);
  promised[r] = disk_promised;
  entered[r] = disk_entered;
  for (s : 1 .. SLOTS) {
    log[r].ballot[s] = disk.ballot[s];
    log[r].value[s] = disk.value[s];
    disk.ballot[s] = 0; disk.value[s] = NOTHING
  }
  through[r] = commit[r];
  disk_promised = 0; disk_commit = 0; disk_entered = 0; stalled = 0;
  crashes++;
  s = 0;
  count = (entered[0] != 0) + (entered[1] != 0) + (entered[3] != 0);
  assert(size_of(reported & NEW) < MAJORITY || count >= MAJORITY); /* 12.5 */
  count = 0
}

#define leads(r) (promised[r] > 0 && promised[r] != NULL_BALLOT && \
                  OWNER(promised[r]) == (r) && phase[promised[r]] == LEADING)

#define ABOUT_BALLOT(b) \
  :: atomic { OWNER(b) == r && b != ROUND_ZERO && acts_in(r, b) && phase[b] == IDLE && \
              promised[r] < b && !is_stalled(r) -> d_step { stand(r, b) } } \
  :: atomic { OWNER(b) != r && acts_in(r, b) && phase[b] != IDLE && promised[r] < b -> \
       d_step { enter_ballot(r, b) } } \
  :: atomic { OWNER(b) != r && acts_in(r, b) && phase[b] == STANDING && promised[r] <= b && \
              !is_stalled(r) && !has_promised(b, r) -> d_step { enter_ballot(r, b); fold(r, b) } } \
  :: atomic { OWNER(b) != r && acts_in(r, b) && promised[r] <= b && confirmed(r, b) < SLOTS && \
              next_accept(r, b) != NOTHING -> d_step { accept(r, b) } } \
  :: atomic { OWNER(b) != r && acts_in(r, b) && announced[b] > commit[r] && promised[r] <= b -> \
       d_step { follow_commit(r, b) } } \
  :: atomic { OWNER(b) == r && is_elected(r, b) -> d_step { lead(r, b) } } \
  :: atomic { OWNER(b) == r && phase[b] == LEADING && may_propose(r) -> \
       d_step { v = own_value(b); propose(r, b) } } \
  :: atomic { OWNER(b) == r && phase[b] == LEADING && may_propose(r) && !is_new(b) -> \
       d_step { v = STOP_SIGN; propose(r, b) } } \
  :: atomic { OWNER(b) == r && phase[b] == LEADING && commit[r] < through[r] -> \
       d_step { leader_commit(r, b) } }

active [REPLICAS] proctype replica()
{
  byte r = _pid;
end:
  do
  ABOUT_BALLOT(1)
  ABOUT_BALLOT(2)
#if OLD_BALLOTS > 2
  ABOUT_BALLOT(3)
#endif
  ABOUT_BALLOT(ROUND_ZERO)
  ABOUT_BALLOT((ROUND_ZERO + 1))
#if NEW_BALLOTS > 1
  ABOUT_BALLOT((ROUND_ZERO + 2))
#endif
  :: atomic { r == FIRST_LEADER && entered[r] != 0 && may_skip_phase_one(r) -> \
       d_step { lead_without_phase_one(r) } }
  :: atomic { may_learn(r) && !leads(r) -> d_step { learn(r) } }
#ifdef PLANT_early_join
  :: atomic { entered[r] == 0 && may_enter(r) && (log[r].value[1] == STOP_SIGN || reported != 0) ->
       d_step { enter_configuration(r, 1) } }
#else
  :: atomic { entered[r] == 0 && stop != 0 && commit[r] >= stop && may_enter(r) ->
       d_step { enter_configuration(r, stop) } }
#endif
#if CRASHES > 0
  :: atomic { crashes < CRASHES && stalled == 0 -> d_step { stall(r) } }
  :: atomic { is_stalled(r) -> commit[r] = disk_entered; d_step { crash(r) } }
  :: atomic { is_stalled(r) && disk_commit > disk_entered -> commit[r] = disk_commit;
       d_step { crash(r) } }
#endif
  od
}

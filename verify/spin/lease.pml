/* SPDX-License-Identifier: Apache-2.0
 *
 * The lease: a leader answers reads alone while a majority guards its ballot. Section 9 (lease)
 * and 13 of docs/PROTOCOL.md.
 *
 * Time is discrete and has no end: what is kept is how much of a guard or a lease is left. A
 * guard lasts GUARD ticks of the clock of the replica that arms it, a lease LEASE ticks of the
 * leader's. In the whole run each clock may be off by one tick, once: a lease that stands still
 * or a guard that loses one more. GUARD - LEASE must cover one of each, as 0.9 and 5 % do. (A
 * clock that is off to the other side does no harm.)
 *
 * Bounds: three replicas; BALLOTS ballots, of replicas 0, 1 and THIRD_OWNER; RESTARTS restarts. A
 * leader sends lease sequences without end, HEARTBEATS of them on their way at a time. At the
 * start ballot 1 is established and nothing is armed.
 *
 * Network: a heartbeat stays until a newer one takes its place. Its answer reaches the leader at
 * once: a lease that begins later ends at the same time. A Promise is folded when sent, or lost.
 * A new leader has a write acknowledged as soon as it is elected, which is the worst it can do. A
 * token is open to everybody.
 *
 * Claim: whoever leads with a valid lease has seen every acknowledged write.
 */
#ifndef BALLOTS
#define BALLOTS 3
#endif
#ifndef HEARTBEATS
#define HEARTBEATS 1
#endif
#ifndef RESTARTS
#define RESTARTS 1
#endif
#ifndef GUARD
#define GUARD 3
#endif
#ifdef PLANT_lease_too_long
#define LEASE (GUARD - 1)
#else
#define LEASE (GUARD - 2)
#endif
#define REPLICAS 3
#define MAJORITY 2
#ifndef THIRD_OWNER
#define THIRD_OWNER 0
#endif
#define OWNER(b) ((b) < 3 -> (b) - 1 : THIRD_OWNER)

#define IDLE 0
#define STANDING 1
#define LEADING 2
#define OVER 3

#define WAS_SENT 8 /* in `answered`: not a replica */
#define NOBODY 0 /* no guard for a leader is armed */

/* Of each heartbeat: what would be left of a lease from its sending; who answered it, as bits. */
typedef Heartbeats { byte left[HEARTBEATS]; byte answered[HEARTBEATS] };

bool is_off[REPLICAS]; /* this clock has been off */
byte promised[REPLICAS] = 1;
byte kept[REPLICAS] = 1; /* the promise on disk: answers to heartbeats do not wait for it */
byte guarded[REPLICAS];  /* the ballot the guard protects */
byte guard_left[REPLICAS];
byte restart_left[REPLICAS]; /* of the guard against everybody that a restart arms */

byte phase[BALLOTS + 1];
byte promisers[BALLOTS + 1];
Heartbeats heartbeat[BALLOTS + 1];
byte lease_left[BALLOTS + 1];
bool is_revoked[BALLOTS + 1];
bool has_token[BALLOTS + 1]; /* the leader of this ballot has sent its token */

byte written; /* the greatest ballot that acknowledged a write */
byte restarts;

hidden byte k, s, count;

#define has_promised(b, r) ((promisers[b] >> (r)) & 1)
#define size_of(set) (((set) & 1) + (((set) >> 1) & 1) + (((set) >> 2) & 1))

/* R3: a read may come at any moment at which the lease is valid. */
inline check_reads()
{
  for (k : 1 .. BALLOTS) { assert(lease_left[k] == 0 || written <= k) }
  k = 0
}

#define less_one(n) ((n) > 0 -> (n) - 1 : 0)

inline shorten_guard(r)
{
  if
  :: guard_left[r] > 0 ->
     guard_left[r]--;
     if :: guard_left[r] == 0 -> guarded[r] = NOBODY :: else fi
  :: else
  fi;
  restart_left[r] = less_one(restart_left[r])
}

/* `late` is the replica whose clock stands still in this tick of true time. */
inline tick(late)
{
  for (k : 0 .. REPLICAS - 1) {
    if :: k != late -> shorten_guard(k) :: else fi
  }
  for (k : 1 .. BALLOTS) {
    if
    :: OWNER(k) != late ->
       lease_left[k] = less_one(lease_left[k]);
       for (s : 0 .. HEARTBEATS - 1) {
         heartbeat[k].left[s] = less_one(heartbeat[k].left[s])
       }
    :: else
    fi
  }
  s = 0; k = 0
}

inline end_role(r)
{
  for (k : 1 .. BALLOTS) {
    if
    :: OWNER(k) == r && (phase[k] == STANDING || phase[k] == LEADING) ->
       phase[k] = OVER;
       promisers[k] = 0;
       lease_left[k] = 0;
       for (s : 0 .. HEARTBEATS - 1) {
         heartbeat[k].left[s] = 0;
         if :: heartbeat[k].answered[s] != 0 -> heartbeat[k].answered[s] = WAS_SENT :: else fi
       }
    :: else
    fi
  }
  k = 0; s = 0
}

inline enter(r, b)
{
  if :: promised[r] < b -> end_role(r); promised[r] = b :: else fi
}

/* Refused after a restart, until that guard lapses; no leader that is heard meanwhile softens it.
 * Refused while a guard for another holder is armed, unless the token names the very ballot that
 * the guard protects. A candidate asks itself the same. */
#ifdef PLANT_token_of_any_ballot
#define has_a_token(r) (has_token[1] || (BALLOTS > 2 && has_token[2]))
#else
#define has_a_token(r) has_token[guarded[r]]
#endif
#define admits(r, b) \
  (restart_left[r] == 0 && \
   (guarded[r] == NOBODY || has_a_token(r) || OWNER(guarded[r]) == OWNER(b)))

inline promise(r, b)
{
  enter(r, b);
  kept[r] = b;
  promisers[b] = promisers[b] | (1 << r)
}

inline lead(r, b)
{
  phase[b] = LEADING;
  promisers[b] = 0;
  if :: written < b -> written = b :: else fi;
  check_reads()
}

inline send_heartbeat(r, b, id)
{
  heartbeat[b].left[id] = LEASE;
  heartbeat[b].answered[id] = WAS_SENT | (1 << r)
}

/* A guard runs from the receipt; a lease from the sending of what a majority answered. */
inline hear(r, b, id)
{
  enter(r, b);
  guarded[r] = b;
  guard_left[r] = GUARD;
#ifdef PLANT_restart_guard_replaced
  restart_left[r] = 0;
#endif
  if
  :: phase[b] == LEADING -> heartbeat[b].answered[id] = heartbeat[b].answered[id] | (1 << r)
  :: else
  fi;
#ifndef PLANT_lease_from_receipt
  extend_lease(b, id, heartbeat[b].left[id])
#endif
}

inline extend_lease(b, id, length)
{
  if
  :: phase[b] == LEADING && size_of(heartbeat[b].answered[id]) >= MAJORITY && !is_revoked[b] &&
     length > lease_left[b] -> lease_left[b] = length
  :: else
  fi;
  check_reads()
}

/* Section 13: the lease is revoked for the rest of the ballot, also if nothing comes of it. */
inline transfer(r, b)
{
  has_token[b] = true;
#ifndef PLANT_lease_after_transfer
  is_revoked[b] = true;
  lease_left[b] = 0
#endif
}

/* A restart forgets whom it guarded, and perhaps a promise that only answered heartbeats. */
inline restart(r)
{
  end_role(r);
  restarts++;
  guarded[r] = NOBODY;
  guard_left[r] = 0;
#ifndef PLANT_guard_forgotten
  restart_left[r] = GUARD
#endif
}

#define may_stand(r, b) \
  (OWNER(b) == r && phase[b] == IDLE && promised[r] < b && admits(r, b))
#define may_promise(r, b) \
  (OWNER(b) != r && phase[b] == STANDING && promised[r] <= b && !has_promised(b, r) && \
   (promised[r] == b || admits(r, b)))
#define may_hear(r, b, id) (OWNER(b) != r && heartbeat[b].answered[id] != 0 && promised[r] <= b)

#ifdef PLANT_lease_from_receipt
#define LATE_ANSWER(b, id) \
  :: atomic { OWNER(b) == r && phase[b] == LEADING -> d_step { extend_lease(b, id, LEASE) } }
#else
#define LATE_ANSWER(b, id)
#endif

#define ABOUT_HEARTBEAT(b, id) \
  :: atomic { OWNER(b) == r && phase[b] == LEADING && heartbeat[b].left[id] < LEASE -> \
       d_step { send_heartbeat(r, b, id) } } \
  :: atomic { may_hear(r, b, id) -> d_step { hear(r, b, id) } } \
  LATE_ANSWER(b, id)

#if HEARTBEATS > 1
#define ABOUT_HEARTBEATS(b) ABOUT_HEARTBEAT(b, 0) ABOUT_HEARTBEAT(b, 1)
#else
#define ABOUT_HEARTBEATS(b) ABOUT_HEARTBEAT(b, 0)
#endif

#define ABOUT_BALLOT(b) \
  :: atomic { may_stand(r, b) -> d_step { promise(r, b); phase[b] = STANDING } } \
  :: atomic { may_promise(r, b) -> d_step { promise(r, b) } } \
  :: atomic { OWNER(b) == r && phase[b] == STANDING && size_of(promisers[b]) >= MAJORITY -> \
       d_step { lead(r, b) } } \
  :: atomic { OWNER(b) == r && phase[b] == LEADING && b < BALLOTS && !has_token[b] -> \
       d_step { transfer(r, b) } } \
  ABOUT_HEARTBEATS(b)

active [REPLICAS] proctype replica()
{
  byte r = _pid;
  if :: r == 0 -> phase[1] = LEADING; written = 1 :: else fi;
end:
  do
  ABOUT_BALLOT(1)
  ABOUT_BALLOT(2)
#if BALLOTS > 2
  ABOUT_BALLOT(3)
#endif
  :: atomic { r == 0 -> d_step { tick(REPLICAS) } }
  :: atomic { !is_off[r] -> is_off[r] = true; d_step { tick(r) } }
  :: atomic { !is_off[r] && guard_left[r] + restart_left[r] > 0 -> is_off[r] = true;
       d_step { shorten_guard(r) } }
#if RESTARTS > 0
  :: atomic { restarts < RESTARTS -> kept[r] = promised[r]; d_step { restart(r) } }
  :: atomic { restarts < RESTARTS && kept[r] < promised[r] -> promised[r] = kept[r];
       d_step { restart(r) } }
#endif
  od
}

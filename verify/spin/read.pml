/* SPDX-License-Identifier: Apache-2.0
 *
 * Read index: a read returns what was decided when a majority still followed the leader. Section
 * 9 of docs/PROTOCOL.md, with 12.5.
 *
 * Bounds: replicas 0, 1, 2 are one configuration. Replica 0 leads ballot 1 from the start and is
 * established. Replica 1 may win ballot 2; or, once it knows a decided stop-sign, lead the next
 * configuration, whose majority is replica 1 with others that are always there. One write in all,
 * by whoever leads; reads at replicas 0 and 1, ROUNDS rounds at each, any number of reads.
 *
 * Network: what was sent stays sent; the acknowledgement of a round counts for ever in its
 * ballot. Disks are instant. Nobody crashes (section 9 needs nothing but the volatile promise).
 *
 * Claim: a read that began after the write was acknowledged returns it.
 */
#ifndef ROUNDS
#define ROUNDS 2
#endif
#define REPLICAS 3
#define MAJORITY 2

#define IDLE 0
#define STANDING 1
#define LEADING 2
#define ESTABLISHED 3
#define OVER 4
#define NEXT_CONFIGURATION 5

/* What a log holds, as bits; the stop-sign comes behind the write. */
#define WRITE 1
#define STOP_SIGN 2

byte promised[REPLICAS] = 1;
byte log[REPLICAS];
byte commit[REPLICAS]; /* the part of the log known to be decided */
byte phase[2];         /* of ballot 1 at replica 0, of ballot 2 at replica 1 */
byte promisers;        /* of ballot 2 */
byte has_write[2];     /* who acknowledged the write in ballot 1, 2; as bits */
byte has_stop;         /* who acknowledged the stop-sign in ballot 1 */
byte has_all;          /* who acknowledged what ballot 2 adopted, and its barrier */

bool acknowledged; /* the client has the answer to its write */

typedef Round {
  bool is_waiting;  /* a read waits for the next round */
  bool waiting_for; /* it began after the write was acknowledged */
  bool is_open;
  bool must_see;    /* a read of this round began after the write was acknowledged */
  bool sees;        /* the index of the round covers the write */
  byte rounds;      /* opened so far */
  byte id;
  byte heard[REPLICAS] /* the greatest id that each replica acknowledged in this ballot */
};
Round reads[2];

hidden byte k, count;

#define size_of(set) (((set) & 1) + (((set) >> 1) & 1) + (((set) >> 2) & 1))
#define in_configuration(r) (!(commit[r] & STOP_SIGN))

#ifdef PLANT_read_before_barrier
#define may_read(x) (phase[x] == LEADING || phase[x] == ESTABLISHED)
#else
#define may_read(x) (phase[x] == ESTABLISHED)
#endif

inline end_reads(x)
{
  reads[x].is_waiting = false;
  reads[x].waiting_for = false;
  reads[x].is_open = false;
  reads[x].must_see = false;
  reads[x].sees = false;
  reads[x].id = 0;
  for (k : 0 .. REPLICAS - 1) { reads[x].heard[k] = 0 }
  k = 0
}

inline end_role(r)
{
  if
  :: r == 0 && phase[0] != OVER -> phase[0] = OVER; end_reads(0)
  :: r == 1 && phase[1] != IDLE && phase[1] != NEXT_CONFIGURATION ->
     phase[1] = OVER;
     end_reads(1)
  :: else
  fi
}

/* Knowing the stop-sign ends every role in the configuration (12.5). */
inline decide(r, what)
{
  commit[r] = commit[r] | what;
#ifndef PLANT_read_after_stop
  if :: commit[r] & STOP_SIGN -> end_role(r) :: else fi
#endif
}

inline promise(r)
{
  if :: promised[r] < 2 -> end_role(r); promised[r] = 2 :: else fi;
  promisers = promisers | (1 << r);
  log[1] = log[1] | log[r];
  commit[1] = commit[1] | (commit[r] & WRITE)
}

/* What was decided in ballot 1 or 2 reaches whoever holds it; entries may also be learned. */
inline learn(r, q)
{
  log[r] = log[r] | commit[q];
  decide(r, commit[q])
}

inline take_all(r)
{
  promised[r] = 2;
  if :: r == 0 -> end_role(0) :: else fi;
  log[r] = log[r] | log[1];
  has_all = has_all | (1 << r)
}

/* The barrier of ballot 2 is decided, and all before it. With a stop-sign there is no barrier. */
inline establish()
{
  if :: log[1] & STOP_SIGN -> phase[1] = OVER :: else -> phase[1] = ESTABLISHED fi;
  decide(1, log[1])
}

inline write_decided(r, b)
{
  commit[r] = commit[r] | WRITE;
  acknowledged = true
}

inline lead_next_configuration()
{
  end_role(1);
  phase[1] = NEXT_CONFIGURATION
}

inline open_round(x)
{
  reads[x].is_open = true;
  reads[x].must_see = reads[x].waiting_for;
  reads[x].is_waiting = false;
  reads[x].waiting_for = false;
  reads[x].sees = commit[x] & WRITE;
  reads[x].rounds++;
#ifdef PLANT_read_id_reused
  reads[x].id = 1;
#else
  reads[x].id++;
#endif
  reads[x].heard[x] = reads[x].id
}

inline release_round(x)
{
  count = (reads[x].heard[0] >= reads[x].id) + (reads[x].heard[1] >= reads[x].id) +
          (reads[x].heard[2] >= reads[x].id);
#ifdef PLANT_read_without_quorum
  count = MAJORITY;
#endif
  if
  :: count >= MAJORITY ->
     assert(!reads[x].must_see || reads[x].sees);
     reads[x].is_open = false;
     reads[x].must_see = false;
     reads[x].sees = false
  :: else
  fi;
  count = 0
}

/* Reads at the leader of ballot x + 1, which is replica x. */
#define READS(x) \
  :: atomic { r == x && phase[x] != OVER && phase[x] != NEXT_CONFIGURATION && \
              !reads[x].is_waiting && reads[x].rounds < ROUNDS -> \
       d_step { reads[x].is_waiting = true; reads[x].waiting_for = acknowledged } } \
  :: atomic { r == x && may_read(x) && reads[x].is_waiting && !reads[x].is_open -> \
       d_step { open_round(x) } } \
  :: atomic { r != x && reads[x].id > reads[x].heard[r] && promised[r] <= x + 1 && \
              in_configuration(r) -> reads[x].heard[r] = reads[x].id } \
  :: atomic { r == x && may_read(x) && reads[x].is_open -> d_step { release_round(x) } }

#ifdef PLANT_read_joins_open_round
#define LATE_READ(x) \
  :: atomic { r == x && reads[x].is_open && acknowledged -> reads[x].must_see = true }
#else
#define LATE_READ(x)
#endif

#define leads_old (r == 0 && (phase[0] == ESTABLISHED))
#define nobody_wrote (!(log[0] & WRITE) && !(log[1] & WRITE) && !(log[2] & WRITE) && !acknowledged)

active [REPLICAS] proctype replica()
{
  byte r = _pid;
  if :: r == 0 -> phase[0] = ESTABLISHED :: else fi;
end:
  do
  READS(0)
  READS(1)
  LATE_READ(0)
  LATE_READ(1)
  /* Ballot 1: the write, then perhaps the stop-sign. */
  :: atomic { leads_old && nobody_wrote && !(log[0] & STOP_SIGN) ->
       d_step { log[0] = log[0] | WRITE; has_write[0] = 1 } }
  :: atomic { leads_old && !(log[0] & STOP_SIGN) ->
       d_step { log[0] = log[0] | STOP_SIGN; has_stop = 1 } }
  :: atomic { r != 0 && promised[r] == 1 && in_configuration(r) && (has_write[0] & 1) &&
              !(has_write[0] & (1 << r)) ->
       d_step { log[r] = log[r] | WRITE; has_write[0] = has_write[0] | (1 << r) } }
  :: atomic { r != 0 && promised[r] == 1 && in_configuration(r) && (has_stop & 1) &&
              !(has_stop & (1 << r)) && ((log[r] & WRITE) || !(has_write[0] & 1)) ->
       d_step { log[r] = log[r] | STOP_SIGN; has_stop = has_stop | (1 << r) } }
  :: atomic { leads_old && size_of(has_write[0]) >= MAJORITY && !(commit[0] & WRITE) ->
       d_step { write_decided(0, 1) } }
  :: atomic { leads_old && size_of(has_stop) >= MAJORITY && !(commit[0] & STOP_SIGN) &&
              (commit[0] & WRITE || !(has_write[0] & 1)) -> d_step { decide(0, STOP_SIGN) } }
  /* Learning, in either direction; a stop-sign only from who entered, which is at once here. */
  :: atomic { commit[0] & ~commit[r] -> d_step { learn(r, 0) } }
  :: atomic { commit[1] & ~commit[r] -> d_step { learn(r, 1) } }
  /* Ballot 2. */
  :: atomic { r == 1 && phase[1] == IDLE && in_configuration(1) ->
       d_step { promise(1); phase[1] = STANDING } }
  :: atomic { r != 1 && phase[1] == STANDING && in_configuration(r) && !(promisers & (1 << r)) ->
       d_step { promise(r) } }
  :: atomic { r == 1 && phase[1] == STANDING && size_of(promisers) >= MAJORITY ->
       d_step { phase[1] = LEADING; has_all = 2 } }
  :: atomic { r != 1 && phase[1] == LEADING && in_configuration(r) && !(has_all & (1 << r)) ->
       d_step { take_all(r) } }
  :: atomic { r == 1 && phase[1] == LEADING && size_of(has_all) >= MAJORITY ->
       d_step { establish() } }
  :: atomic { r == 1 && phase[1] == ESTABLISHED && nobody_wrote ->
       d_step { log[1] = log[1] | WRITE; has_write[1] = 2 } }
  :: atomic { r != 1 && in_configuration(r) && (has_write[1] & 2) && !(has_write[1] & (1 << r)) &&
              (has_all & (1 << r)) ->
       d_step { log[r] = log[r] | WRITE; has_write[1] = has_write[1] | (1 << r) } }
  :: atomic { r == 1 && phase[1] == ESTABLISHED && size_of(has_write[1]) >= MAJORITY &&
              !(commit[1] & WRITE) -> d_step { write_decided(1, 2) } }
  /* The next configuration: no phase 1, and a majority that is always there. */
  :: atomic { r == 1 && (commit[1] & STOP_SIGN) && phase[1] != NEXT_CONFIGURATION ->
       d_step { lead_next_configuration() } }
  :: atomic { r == 1 && phase[1] == NEXT_CONFIGURATION && !acknowledged ->
       d_step { acknowledged = true } }
  od
}

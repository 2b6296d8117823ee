------------------------------ MODULE TwoSites ------------------------------
(* Two sites that share one router partition: who decides, which decisions    *)
(* count, and what the edges make of them.  ../two-sites.md tells it in words. *)
(*                                                                            *)
(* Abstractions                                                               *)
(* - The register (majority of three voters) is the counter `granted`: every  *)
(*   site epoch is granted once.  There are NO clocks: a grant may come at    *)
(*   any time while the old leader works on (unless ClocksOk).                *)
(* - Journal, inputs and events are mirrored separately, in order.  While the *)
(*   sites are connected, lag is a delay only: a reader may act on any prefix.*)
(*   When the connection ends, any prefix may be what has come over.  Inputs  *)
(*   and journal may be repeated by the mirror.                               *)
(* - An append and its reading back are one step; the owner's own view is     *)
(*   older: it works on memory until it sees that it lost the reign.          *)
(* - A journal record holds the state after it.  A contact's arrival stamp is *)
(*   its number.                                                              *)
EXTENDS Journal, FiniteSets, TLC
CONSTANTS
  Contacts, Agents, HomeOfContact, HomeOfAgent,              \* who is where at the start
  Workers,                                                   \* workers of a site that may own
  MaxEpoch, MaxCrash, MaxCut, MaxDup, MaxTmo, MaxOwn, MaxLost, \* how many faults of a kind
  (* The rules.  TRUE is the protocol; FALSE is the naive variant. *)
  OwnGrant,     \* an owner claims under the site epoch granted to its own site, never under one it only read
  Follow,       \* a site that finds a higher site epoch begun gives its own grant up
  ClaimLost,    \* the lost site's journal is claimed before it is read to the end
  Chain,        \* a decision counts if the chain of EpochStarted from the newest one back leads to it
  EdgeJoin,     \* E2: the contact's edge joins, once; FALSE: an agent's accept joins, by the epoch alone
  SlotGuard,    \* E3: a talking slot refuses whatever the epoch; FALSE: a higher epoch wins
  IdDedup,      \* inputs are known by id; FALSE: by offset
  CutRule,      \* L2: decisions beyond the cut are void; FALSE: believed when they arrive late
  Lineage,      \* L1: rebuilt from the highest epoch; FALSE: a site resumes its own journal
  PersistFence, \* E1: an edge keeps its fence over a restart
  LegGen,       \* L5: facts carry the generation of the leg
  StampOrder,   \* place in line is the arrival stamp; FALSE: order of application
  Teach,        \* E5: a refusal carries the fact behind it
  RollCall,     \* E4, L4: on a new epoch agents' edges report their slots; a ring that ends is reported
  Reissue,      \* L3: pending reservations are issued again
  Register,     \* epochs come from the register; FALSE: own highest + 1 when the other is silent
  ClocksOk      \* the old leader has stopped before a new one starts
Sites == {"a", "b"}
Other(s) == IF s = "a" THEN "b" ELSE "a"
NoR == <<0, 0, 0>>                  \* a reservation: site epoch, counter, the agent's session

VARIABLES
  up, link,                         \* a site runs; the sites reach each other
  granted,                          \* the highest site epoch that the register gave out
  grant,                            \* per site: the site epoch that it believes to hold, 0 if it follows
  journal, place,                   \* per site: its journal, and where a reader of all of it stands
  owner,                            \* per site and worker: what it has in memory
  cmd,                              \* per site: its inputs (commands and facts)
  mirrored, cmdMirrored,            \* per site: how much of the other's journal and inputs came over for good
  rewind, cmdShift,                 \* per site: the mirror's repeats of journal and inputs
  events, eventsRead,               \* per site: events made of records that count; what its edges have read of each site's
  fence, high, stale,               \* per site: its edges' fence; the highest ever (ghost); a lower one was accepted (ghost)
  home, here, gen, bound,           \* per contact: site of its edge; "here" or "gone"; leg generation; who it is bound to
  slot, talk,                       \* per agent: its slot at the agent's edge; all talks
  n                                 \* counts of faults, claims and sessions
siteVars == <<up, link>>
registerVars == <<granted, grant>>
logVars == <<journal, place, owner, events>>
mirrorVars == <<mirrored, cmdMirrored, rewind, cmdShift>>
edgeVars == <<eventsRead, fence, high, stale>>
worldVars == <<home, here, gen, bound, slot, talk>>
vars == <<siteVars, registerVars, logVars, mirrorVars, edgeVars, worldVars, cmd, n>>

Max(i, j) == IF i > j THEN i ELSE j
Conn(s, t) == up[s] /\ up[t] /\ (s = t \/ link)
Put(q, s, m) == [q EXCEPT ![s] = Append(@, m)]
IdleSlot == [st |-> "idle", c |-> 0, r |-> NoR, e |-> 0, g |-> 0]
Unbound == [x |-> "-", r |-> NoR]
NoFact == [c |-> 0, x |-> "-", r |-> NoR, g |-> 0]
(* An input.  Commands: arr(ival), red(ial).  Facts: bnd, unb (contact's edge); ref(used), not (here), nak (not bound), *)
(* rel(eased or hung up), roll (call), log (in) (agent's edge).                                                        *)
Cmd(k, c, x, r, g, f) == [k |-> k, c |-> c, x |-> x, r |-> r, g |-> g, f |-> f]
(* An event: ep (a site epoch began), off(er), rsc (rescinded).                                                        *)
Event(k, c, x, r, e) == [k |-> k, c |-> c, x |-> x, r |-> r, e |-> e]
NewState == [seen |-> {}, pos |-> [s \in Sites |-> 0], ord |-> <<>>, k |-> 0,
             cs |-> [c \in Contacts |-> "no"], ag |-> [c \in Contacts |-> "-"],
             rid |-> [c \in Contacts |-> NoR], g |-> [c \in Contacts |-> 0], ss |-> [x \in Agents |-> 0], off |-> {}]
(* `prev, full, had, v` serve EpochStarted and the invariants: the site epoch it continues; whether the lost site's    *)
(* journal was read up to a claim; the highest site epoch its writer had read; the verdict.                            *)
Record(k, e, o, w, q, h, st) == [k |-> k, e |-> e, o |-> o, w |-> w, q |-> q, h |-> h, st |-> st,
                                 prev |-> 0, full |-> FALSE, had |-> 0, v |-> FALSE]
NoOwner == [ph |-> "none", e |-> 0, o |-> 0, w |-> 0, q |-> 0, h |-> NoHash, far |-> 0, st |-> NewState]

FirstClaim == Record("owner", 1, 1, 1, 0, NoHash, NewState)
FirstEpoch == [Record("epoch", 1, 1, 1, 0, NoHash, NewState) EXCEPT !.v = TRUE]
Init ==
  /\ up = [s \in Sites |-> TRUE] /\ link = TRUE
  /\ granted = 1 /\ grant = [s \in Sites |-> IF s = "a" THEN 1 ELSE 0]
  /\ journal = [s \in Sites |-> IF s = "a" THEN <<FirstClaim, FirstEpoch>> ELSE <<>>]
  /\ place = [s \in Sites |-> Read(journal[s], NewState)]
  /\ owner = [s \in Sites |-> [i \in Workers |-> IF s = "a" /\ i = 1
                THEN [NoOwner EXCEPT !.ph = "ready", !.e = 1, !.o = 1, !.w = 1] ELSE NoOwner]]
  /\ cmd = [s \in Sites |-> LET one(c) == IF c \in Contacts /\ HomeOfContact[c] = s
                                          THEN <<Cmd("arr", c, "-", NoR, 0, NoFact)>> ELSE <<>>
                            IN one(1) \o one(2)]
  /\ mirrored = [s \in Sites |-> IF s = "b" THEN 2 ELSE 0] /\ cmdMirrored = [s \in Sites |-> 0]
  /\ rewind = [s \in Sites |-> <<0, 0>>] /\ cmdShift = [s \in Sites |-> 0]
  /\ events = [s \in Sites |-> <<>>] /\ eventsRead = [s \in Sites |-> [t \in Sites |-> 0]]
  /\ fence = [s \in Sites |-> 1] /\ high = fence /\ stale = FALSE
  /\ home = HomeOfContact /\ here = [c \in Contacts |-> "here"] /\ gen = [c \in Contacts |-> 0]
  /\ bound = [c \in Contacts |-> Unbound] /\ slot = [x \in Agents |-> IdleSlot] /\ talk = {}
  /\ n = [crash |-> 0, cut |-> 0, dup |-> 0, tmo |-> 0, own |-> 0, lost |-> 0, w |-> 1, session |-> [s \in Sites |-> 0]]
------------------------------ (* The mirror *) ------------------------------
SeenCmd(s) == IF Conn(s, Other(s)) THEN Len(cmd[Other(s)]) ELSE cmdMirrored[s]
SeenJournal(s) == IF Conn(s, Other(s)) THEN Len(journal[Other(s)]) ELSE mirrored[s]
(* The first p records of the other's journal, as they lie in the mirrored topic: with a repeat, if there was one. *)
Mirror(s, p) == LET q == journal[Other(s)] at == rewind[s][1] back == rewind[s][2]
                IN IF at = 0 \/ p < at THEN SubSeq(q, 1, p) ELSE SubSeq(q, 1, at) \o SubSeq(q, back + 1, p)
Fix(S) ==               \* S: the sites whose incoming mirrors stop here
  LET J(s) == IF s \in S THEN mirrored[s]..SeenJournal(s) ELSE {SeenJournal(s)}
      C(s) == IF s \in S THEN cmdMirrored[s]..SeenCmd(s) ELSE {SeenCmd(s)}
  IN \E i \in J("a"), j \in J("b"), k \in C("a"), l \in C("b") :
       /\ mirrored' = [s \in Sites |-> IF s = "a" THEN i ELSE j]
       /\ cmdMirrored' = [s \in Sites |-> IF s = "a" THEN k ELSE l]
RepeatInputs(s) ==
  /\ Conn(s, Other(s)) /\ n.dup < MaxDup /\ n' = [n EXCEPT !.dup = @ + 1]
  /\ cmdShift' = [cmdShift EXCEPT ![s] = @ + 1]
  /\ UNCHANGED <<siteVars, registerVars, logVars, mirrored, cmdMirrored, rewind, edgeVars, worldVars, cmd>>
RepeatJournal(s) ==
  /\ Conn(s, Other(s)) /\ rewind[s][1] = 0 /\ n.dup < MaxDup /\ n' = [n EXCEPT !.dup = @ + 1]
  /\ \E at \in 1..SeenJournal(s) : \E back \in 0..at - 1 : rewind' = [rewind EXCEPT ![s] = <<at, back>>]
  /\ UNCHANGED <<siteVars, registerVars, logVars, mirrored, cmdMirrored, cmdShift, edgeVars, worldVars, cmd>>
--------------------- (* The register, and owning in the log *) --------------
(* A grant may come at any time.  What the site does with it is below.        *)
Grant(s) ==
  /\ up[s] /\ grant[s] = 0
  /\ LET e == IF Register THEN granted + 1 ELSE Max(place[s].begun, Read(Mirror(s, mirrored[s]), NewState).begun) + 1
     IN /\ e <= MaxEpoch /\ (Register \/ ~Conn(s, Other(s))) /\ (ClocksOk => grant[Other(s)] = 0)
        /\ granted' = Max(granted, e) /\ grant' = [grant EXCEPT ![s] = e]
  /\ UNCHANGED <<siteVars, logVars, mirrorVars, edgeVars, worldVars, cmd, n>>
StepDown(s) ==          \* it could not renew: takes no input, appends nothing
  /\ up[s] /\ grant[s] > 0 /\ granted < MaxEpoch /\ (ClocksOk \/ grant[s] < granted)
  /\ grant' = [grant EXCEPT ![s] = 0] /\ owner' = [owner EXCEPT ![s] = [i \in Workers |-> NoOwner]]
  /\ UNCHANGED <<siteVars, granted, journal, place, events, mirrorVars, edgeVars, worldVars, cmd, n>>
Reigns(s, i) == owner[s][i].ph # "none" /\ owner[s][i].w = place[s].w /\ ~place[s].cut
(* O2, O3: the claim is the first record of a reign.  Its site epoch is the one granted to this site (OwnGrant);        *)
(* a log that shows a higher one is followed, not claimed.                                                              *)
Claim(s, i) ==
  /\ up[s] /\ grant[s] > 0 /\ owner[s][i].ph = "none"
  /\ LET p == place[s] rival == \E j \in Workers : Reigns(s, j)
         e == IF OwnGrant THEN grant[s] ELSE Max(grant[s], p.e)
         o == IF e = p.e THEN p.o + 1 ELSE 1
         r == Record("owner", e, o, n.w + 1, 0, NoHash, NewState)
     IN /\ e >= p.e /\ (rival => n.own < MaxOwn)
        /\ n' = [n EXCEPT !.w = @ + 1, !.own = IF rival THEN @ + 1 ELSE @]
        /\ journal' = Put(journal, s, r) /\ place' = [place EXCEPT ![s] = See(@, r)]
        /\ owner' = [owner EXCEPT ![s][i] = [NoOwner EXCEPT !.ph = "claimed", !.e = e, !.o = o, !.w = n.w + 1]]
  /\ UNCHANGED <<siteVars, registerVars, events, mirrorVars, edgeVars, worldVars, cmd>>
(* Take-over, where the lost site's Kafka still answers: claim its journal, so that its writer's later records are      *)
(* void, and read up to the claim.  Where that claim is void itself, a higher site epoch is at work: follow.             *)
ClaimFar(s, i) ==
  /\ Conn(s, Other(s)) /\ owner[s][i].ph = "claimed" /\ Reigns(s, i) /\ place[s].begun # owner[s][i].e /\ owner[s][i].far = 0
  /\ LET w == owner[s][i] t == Other(s) r == Record("owner", w.e, w.o, w.w, 0, NoHash, NewState)
     IN IF ~ClaimLost
        THEN owner' = [owner EXCEPT ![s][i].far = Len(journal[t])] /\ UNCHANGED <<journal, place, grant>>
        ELSE /\ journal' = Put(journal, t, r) /\ place' = [place EXCEPT ![t] = See(@, r)]
             /\ IF See(place[t], r).w = w.w
                THEN owner' = [owner EXCEPT ![s][i].far = Len(journal[t]) + 1] /\ UNCHANGED grant
                ELSE owner' = [owner EXCEPT ![s][i] = NoOwner] /\ grant' = [grant EXCEPT ![s] = 0]
  /\ UNCHANGED <<siteVars, granted, events, mirrorVars, edgeVars, worldVars, cmd, n>>
(* L1: the state with the highest epoch that was BEGUN, in the own journal or in what came of the other's. *)
Adopt(own, far) == IF (~Lineage /\ own.begun > 0) \/ own.begun >= far.begun THEN own ELSE far
(* L3: a new id per epoch, as the old one may have been bound and unbound meanwhile. *)
Renewed(st, e) == [st EXCEPT !.k = 2, !.rid = [c \in Contacts |-> IF Reissue /\ st.cs[c] = "res"
                                               THEN <<e, c, st.ss[st.ag[c]]>> ELSE st.rid[c]]]
Again(st, e) == IF ~Reissue THEN <<>> ELSE
  LET one(c) == IF c \in Contacts /\ st.cs[c] = "res" THEN <<Event("off", c, st.ag[c], st.rid[c], e)>> ELSE <<>>
  IN one(1) \o one(2)
(* The claim was read back and counts.  The first owner of a site epoch begins it: cut, lineage and re-issues in one     *)
(* record.  A later owner of the same site epoch finds that record and goes on from the state at its claim.             *)
Begin(s, i) ==
  /\ up[s] /\ owner[s][i].ph = "claimed" /\ Reigns(s, i)
  /\ LET w == owner[s][i] own == place[s]
     IN IF own.begun = w.e
        THEN /\ owner' = [owner EXCEPT ![s][i] = [w EXCEPT !.ph = "ready", !.q = own.n, !.h = own.h, !.st = own.st]]
             /\ UNCHANGED <<journal, place, events, mirrored, grant>>
        ELSE \E p \in IF w.far > 0 /\ Conn(s, Other(s)) THEN {w.far} ELSE mirrored[s]..SeenJournal(s) :
             \E far \in {Read(Mirror(s, p), NewState)} : \E base \in {Adopt(own, far)} : \E st \in {Renewed(base.st, w.e)} :
             IF Follow /\ far.begun > w.e      \* a higher site epoch has begun: follow
             THEN /\ owner' = [owner EXCEPT ![s][i] = NoOwner] /\ grant' = [grant EXCEPT ![s] = 0]
                  /\ UNCHANGED <<journal, place, events, mirrored>>
             ELSE
             LET r == [Record("epoch", w.e, w.o, w.w, base.n, base.h, st) EXCEPT
                         !.prev = base.begun, !.full = (p = w.far), !.had = Max(own.begun, far.begun),
                         !.v = TRUE]
             IN /\ UNCHANGED grant /\ mirrored' = [mirrored EXCEPT ![s] = Max(@, p)]
                /\ journal' = Put(journal, s, r) /\ place' = [place EXCEPT ![s] = See(@, r)]
                /\ owner' = [owner EXCEPT ![s][i] = [w EXCEPT !.ph = "ready", !.q = base.n, !.h = base.h, !.st = st]]
                /\ events' = [events EXCEPT ![s] = @ \o <<Event("ep", 0, "-", NoR, w.e)>> \o Again(st, w.e)]
  /\ UNCHANGED <<siteVars, granted, cmdMirrored, rewind, cmdShift, edgeVars, worldVars, cmd, n>>
(* O7: a higher claim or a cut was seen; or the worker just dies. *)
OwnerStop(s, i) ==
  /\ owner[s][i].ph # "none" /\ ~Reigns(s, i) /\ owner' = [owner EXCEPT ![s][i] = NoOwner]
  /\ UNCHANGED <<siteVars, registerVars, journal, place, events, mirrorVars, edgeVars, worldVars, cmd, n>>
OwnerCrash(s, i) ==
  /\ Reigns(s, i) /\ n.own < MaxOwn /\ n' = [n EXCEPT !.own = @ + 1] /\ owner' = [owner EXCEPT ![s][i] = NoOwner]
  /\ UNCHANGED <<siteVars, registerVars, journal, place, events, mirrorVars, edgeVars, worldVars, cmd>>
------------------------------ (* Deciding *) --------------------------------
Ready(s, i) == up[s] /\ owner[s][i].ph = "ready"
(* O5, O6: one record per decision, made of memory; its events go out only if it counts when it is read back. *)
Write(s, i, st, evs) ==
  LET w == owner[s][i]
  IN \E r \in {Record("entry", w.e, w.o, w.w, w.q + 1, w.h, st)} : \E after \in {See(place[s], r)} :
     LET v == after.n # place[s].n
     IN /\ journal' = Put(journal, s, [r EXCEPT !.v = v]) /\ place' = [place EXCEPT ![s] = after]
        /\ owner' = [owner EXCEPT ![s][i] = [w EXCEPT !.q = @ + 1, !.h = <<w.w, w.q + 1>>, !.st = st]]
        /\ events' = IF v THEN [events EXCEPT ![s] = @ \o evs] ELSE events
Sort(q) == IF StampOrder /\ q = <<2, 1>> THEN <<1, 2>> ELSE q
In(q, c) == \E i \in 1..Len(q) : q[i] = c
Enqueue(st, c) == [st EXCEPT !.cs[c] = "wait", !.ag[c] = "-", !.rid[c] = NoR,
                             !.ord = IF In(@, c) THEN @ ELSE Sort(Append(@, c))]
(* L4: a reservation that its agent's edge gave up does not occupy the agent; its contact stays out of the line until   *)
(* its own edge says "unbound".                                                                                         *)
GivenUp(st, x, r) == RollCall /\ \E m \in st.seen :
  \/ m.k \in {"rel", "not", "ref", "nak"} /\ m.r = r
  \/ m.k = "log" /\ m.x = x /\ r[3] < m.g
  \/ m.k = "roll" /\ m.x = x /\ r[1] < m.g /\ m.r # r
Assign(st, c, x, r) == [st EXCEPT !.cs[c] = "asg", !.rid[c] = r, !.ag[c] = IF GivenUp(st, x, r) THEN "-" ELSE x,
                                  !.ord = IF In(@, c) THEN @ ELSE Sort(Append(@, c))]
Old(st, m) == LegGen /\ m.g < st.g[m.c]                      \* L5: a fact about an earlier leg
Gone(st, f) == \E m \in st.seen : m.k = "unb" /\ m.c = f.c /\ m.r = f.r
Learn(st, m) ==                                              \* E5, L6
  LET f == m.f
  IN IF ~Teach \/ f.c = 0 THEN st
     ELSE IF Gone(st, f) \/ (LegGen /\ f.g < st.g[f.c])
          THEN IF m.k = "ref" THEN [st EXCEPT !.off = @ \cup {m.x}] ELSE st    \* busy with the past: wait for its word
          ELSE Assign(st, f.c, f.x, f.r)
Yield(st, x) == [st EXCEPT !.ag = [c \in Contacts |->
                   IF st.ag[c] = x /\ st.cs[c] = "asg" /\ GivenUp(st, x, st.rid[c]) THEN "-" ELSE st.ag[c]]]
Spoke(st, x) == [st EXCEPT !.off = @ \ {x}]
Decide(st, m) ==
  CASE m.k = "log" ->
         LET t == [Spoke(st, m.x) EXCEPT !.seen = @ \cup {m}, !.ss[m.x] = Max(@, m.g)]
             D == {c \in Contacts : st.cs[c] = "res" /\ st.ag[c] = m.x /\ st.rid[c][3] < m.g}
         IN Yield(IF D = {} THEN t ELSE Enqueue(t, CHOOSE c \in D : TRUE), m.x)
    [] m.k = "roll" -> Yield([Spoke(st, m.x) EXCEPT !.seen = @ \cup {m}], m.x)
    [] m.k = "rel" ->
         LET t == [Spoke(st, m.x) EXCEPT !.seen = @ \cup {m}]
         IN IF st.cs[m.c] = "res" /\ st.rid[m.c] = m.r THEN Enqueue(t, m.c) ELSE Yield(t, m.x)
    [] m.k = "arr" -> IF st.cs[m.c] = "no" THEN Enqueue(st, m.c) ELSE st
    [] m.k = "red" -> LET t == [st EXCEPT !.g[m.c] = m.g] IN IF st.cs[m.c] = "res" THEN t ELSE Enqueue(t, m.c)
    [] m.k = "bnd" ->              \* L4: displaces no pending reservation: if it is true, that one comes back refused
         IF Old(st, m) \/ (st.cs[m.c] = "res" /\ st.rid[m.c] # m.r) THEN st ELSE Assign(st, m.c, m.x, m.r)
    [] m.k = "unb" -> IF ~Old(st, m) /\ st.rid[m.c] = m.r THEN Enqueue(Spoke(st, m.x), m.c) ELSE Spoke(st, m.x)
    [] m.k \in {"ref", "nak"} ->   \* frees its reservation whatever the leg
         Learn(IF st.rid[m.c] = m.r /\ st.cs[m.c] = "res" THEN Enqueue(st, m.c) ELSE st, m)
    [] m.k = "not" -> IF st.rid[m.c] # m.r THEN st
                      ELSE IF ~Old(st, m) THEN [st EXCEPT !.cs[m.c] = "park"]
                      ELSE IF st.cs[m.c] = "res" THEN Enqueue(st, m.c) ELSE st
Rescinded(st, t, e) ==
  LET D == {c \in Contacts : st.cs[c] = "res" /\ t.rid[c] # st.rid[c]}
  IN IF D = {} THEN <<>> ELSE LET c == CHOOSE d \in D : TRUE IN <<Event("rsc", c, st.ag[c], st.rid[c], e)>>
(* The inputs of site src that the state of this owner has not seen; and the state with the first of them. *)
Offset(s, src, i) == i + (IF src = s THEN 0 ELSE cmdShift[s])
Pending(s, i, src) ==
  LET V == IF src = s THEN Len(cmd[s]) ELSE SeenCmd(s) st == owner[s][i].st
  IN {j \in 1..V : IF IdDedup THEN cmd[src][j] \notin st.seen ELSE Offset(s, src, j) > st.pos[src]}
Take(s, i, src, j) ==
  LET m == cmd[src][j]
  IN [Decide(owner[s][i].st, m) EXCEPT !.seen = @ \cup {m}, !.pos[src] = IF IdDedup THEN 0 ELSE Offset(s, src, j)]
Least(P) == CHOOSE k \in P : \A h \in P : k <= h
Apply(s, i, src) ==
  /\ Ready(s, i)
  /\ \E P \in {Pending(s, i, src)} : P # {} /\ \E j \in {Least(P)} : \E t \in {Take(s, i, src, j)} :
       Write(s, i, t, Rescinded(owner[s][i].st, t, owner[s][i].e))
  /\ UNCHANGED <<siteVars, registerVars, mirrorVars, edgeVars, worldVars, cmd, n>>
LoseAppend(s, i, src) ==     \* a batch was refused, the owner has not noticed yet
  /\ Ready(s, i) /\ n.lost < MaxLost /\ n' = [n EXCEPT !.lost = @ + 1]
  /\ \E P \in {Pending(s, i, src)} : P # {} /\ \E j \in {Least(P)} : \E t \in {Take(s, i, src, j)} :
       owner' = [owner EXCEPT ![s][i] = [@ EXCEPT !.q = @ + 1, !.h = <<owner[s][i].w, owner[s][i].q + 1>>, !.st = t]]
  /\ UNCHANGED <<siteVars, registerVars, journal, place, events, mirrorVars, edgeVars, worldVars, cmd>>
NoticeLost(s, i) ==          \* O7: the append failed: drop the state, claim again
  /\ Ready(s, i) /\ Reigns(s, i) /\ place[s].h # owner[s][i].h /\ owner' = [owner EXCEPT ![s][i] = NoOwner]
  /\ UNCHANGED <<siteVars, registerVars, journal, place, events, mirrorVars, edgeVars, worldVars, cmd, n>>
Busy(st, x) == x \in st.off \/ \E c \in Contacts : st.ag[c] = x /\ st.cs[c] \in {"res", "asg"}
Offer(s, i, c, x) ==         \* L6: the first in line that can be reached
  /\ Ready(s, i)
  /\ LET st == owner[s][i].st
         e == owner[s][i].e
         waits(j) == st.cs[st.ord[j]] = "wait" /\ Conn(s, home[st.ord[j]])
     IN /\ \E j \in 1..Len(st.ord) : st.ord[j] = c /\ waits(j) /\ \A k \in 1..j - 1 : ~waits(k)
        /\ ~Busy(st, x) /\ Conn(s, HomeOfAgent[x])
        /\ LET r == <<e, st.k + 1, st.ss[x]>>
           IN \E t \in {[st EXCEPT !.cs[c] = "res", !.ag[c] = x, !.rid[c] = r, !.k = @ + 1]} :
              Write(s, i, t, <<Event("off", c, x, r, e)>>)
  /\ UNCHANGED <<siteVars, registerVars, mirrorVars, edgeVars, worldVars, cmd, n>>
(* The reservation's timer: the edge is out of reach or lost the offer, or (MaxTmo) is only slow. *)
Timeout(s, i, c) ==
  /\ Ready(s, i)
  /\ LET st == owner[s][i].st
         x == st.ag[c]
         r == st.rid[c]
         must == \/ ~Conn(s, HomeOfAgent[x]) \/ ~Conn(s, home[c])
                 \/ /\ owner[s][i].e = granted /\ Reigns(s, i) /\ Reissue
                    /\ \A j \in eventsRead[HomeOfAgent[x]][s] + 1..Len(events[s]) : events[s][j].r # r
                    /\ slot[x].r # r /\ bound[c].r # r
                    /\ ~\E t \in Sites : \E j \in 1..Len(cmd[t]) : cmd[t][j].r = r
     IN /\ st.cs[c] = "res" /\ (n.tmo < MaxTmo \/ must)
        /\ n' = IF must THEN n ELSE [n EXCEPT !.tmo = @ + 1]
        /\ \E t \in {Enqueue(st, c)} : Write(s, i, t, <<Event("rsc", c, x, r, owner[s][i].e)>>)
  /\ UNCHANGED <<siteVars, registerVars, mirrorVars, edgeVars, worldVars, cmd>>
LateAdopt(s, i) ==           \* only without CutRule: a late decision of the old leader is believed
  /\ ~CutRule /\ Ready(s, i) /\ Reigns(s, i) /\ SeenJournal(s) > mirrored[s]
  /\ mirrored' = [mirrored EXCEPT ![s] = SeenJournal(s)]
  /\ LET far == Read(Mirror(s, SeenJournal(s)), NewState) st == owner[s][i].st
         D == {c \in Contacts : far.st.cs[c] = "res" /\ st.cs[c] = "wait"}
     IN /\ far.begun < owner[s][i].e /\ D # {}
        /\ LET c == CHOOSE d \in D : TRUE IN Write(s, i, Assign(st, c, far.st.ag[c], far.st.rid[c]), <<>>)
  /\ UNCHANGED <<siteVars, registerVars, cmdMirrored, rewind, cmdShift, edgeVars, worldVars, cmd, n>>
------------------------------ (* The edges *) -------------------------------
At(s) == {x \in Agents : HomeOfAgent[x] = s}
(* E3, E4: on a higher epoch, rings of lower ones stop and every slot is reported. *)
Dropped(s, e) == [x \in Agents |-> IF e > fence[s] /\ x \in At(s) /\ slot[x].st = "ring" /\ slot[x].e < e
                                   THEN IdleSlot ELSE slot[x]]
Roll(s, e) ==
  LET one(x) == IF RollCall /\ e > fence[s] /\ x \in At(s) THEN <<Cmd("roll", 1, x, Dropped(s, e)[x].r, e, NoFact)>> ELSE <<>>
  IN one("x") \o one("y")
EdgeRead(s, src) ==          \* the next event that concerns this site
  /\ Conn(s, src)
  /\ \E R \in {{i \in eventsRead[s][src] + 1..Len(events[src]) :
                 events[src][i].x \in At(s) \/ events[src][i].e > fence[s]}} : R # {} /\
     \E at \in {Least(R)} : \E drop \in {Dropped(s, events[src][at].e)} :
     LET m == events[src][at]
         mine == m.k # "ep" /\ m.x \in At(s)
         sl == IF mine THEN drop[m.x] ELSE IdleSlot
         past == mine /\ m.k = "off" /\ m.r[3] # n.session[s]       \* meant for an earlier session
         take == mine /\ m.k = "off" /\ ~past /\ (sl.st = "idle" \/ (sl.st = "talk" /\ sl.r # m.r /\ ~SlotGuard))
         raise == mine /\ m.k = "off" /\ sl.r = m.r
         rescind == mine /\ m.k = "rsc" /\ sl.st = "ring" /\ sl.r = m.r
         refuse == mine /\ m.k = "off" /\ ~take /\ ~raise
     IN /\ eventsRead' = [eventsRead EXCEPT ![s][src] = at]
        /\ IF m.e < fence[s] THEN UNCHANGED <<fence, high, stale, slot, cmd>>       \* E1
           ELSE /\ fence' = [fence EXCEPT ![s] = m.e] /\ high' = [high EXCEPT ![s] = Max(@, m.e)]
                /\ stale' = (stale \/ (mine /\ m.e < high[s]))
                /\ slot' = IF take THEN [drop EXCEPT ![m.x] = [st |-> "ring", c |-> m.c, r |-> m.r, e |-> m.e, g |-> 0]]
                           ELSE IF raise THEN [drop EXCEPT ![m.x].e = m.e]
                           ELSE IF rescind THEN [drop EXCEPT ![m.x] = IdleSlot] ELSE drop
                /\ cmd' = [cmd EXCEPT ![s] = @ \o Roll(s, m.e) \o
                     (IF refuse THEN <<Cmd("ref", m.c, m.x, m.r, gen[m.c],
                                IF sl.st = "talk" /\ ~past THEN [c |-> sl.c, x |-> m.x, r |-> sl.r, g |-> sl.g] ELSE NoFact)>>
                      ELSE IF rescind /\ RollCall THEN <<Cmd("rel", m.c, m.x, m.r, gen[m.c], NoFact)>> ELSE <<>>)]
  /\ UNCHANGED <<siteVars, registerVars, logVars, mirrorVars, home, here, gen, bound, talk, n>>
Bind(x) ==                   \* E2: the agent accepts: connect at the contact's edge
  /\ EdgeJoin /\ slot[x].st = "ring"
  /\ LET c == slot[x].c r == slot[x].r e == slot[x].e h == home[c]
         used == \E i \in 1..Len(cmd[h]) : cmd[h][i].k = "unb" /\ cmd[h][i].r = r
         ok == here[c] = "here" /\ bound[c].x = "-" /\ e >= fence[h] /\ ~used
     IN /\ Conn(HomeOfAgent[x], h) /\ bound[c].r # r
        /\ IF ok THEN /\ bound' = [bound EXCEPT ![c] = [x |-> x, r |-> r]]
                      /\ fence' = [fence EXCEPT ![h] = e] /\ high' = [high EXCEPT ![h] = Max(@, e)]
                      /\ stale' = (stale \/ e < high[h])
                      /\ cmd' = [cmd EXCEPT ![h] = @ \o Roll(h, e) \o <<Cmd("bnd", c, x, r, gen[c], NoFact)>>]
                      /\ slot' = Dropped(h, e)
           ELSE /\ slot' = [slot EXCEPT ![x] = IdleSlot] /\ UNCHANGED <<bound, fence, high, stale>>
                /\ cmd' = IF e < fence[h] THEN cmd
                          ELSE Put(cmd, HomeOfAgent[x], IF here[c] # "here" THEN Cmd("not", c, x, r, gen[c], NoFact)
                                 ELSE Cmd("nak", c, x, r, gen[c], IF bound[c].x = "-" THEN NoFact
                                        ELSE [c |-> c, x |-> bound[c].x, r |-> bound[c].r, g |-> gen[c]]))
  /\ UNCHANGED <<siteVars, registerVars, logVars, mirrorVars, eventsRead, home, here, gen, talk, n>>
Join(c) ==                   \* E2: the agent's edge answers the connect
  /\ EdgeJoin /\ bound[c].x # "-"
  /\ LET x == bound[c].x
     IN /\ Conn(HomeOfAgent[x], home[c])
        /\ \/ /\ slot[x].r = bound[c].r /\ slot[x].st = "ring"
              /\ slot' = [slot EXCEPT ![x].st = "talk", ![x].g = gen[c]] /\ talk' = talk \cup {<<c, x>>}
              /\ UNCHANGED <<bound, cmd>>
           \/ /\ slot[x].r # bound[c].r /\ bound' = [bound EXCEPT ![c] = Unbound] /\ talk' = talk \ {<<c, x>>}
              /\ cmd' = Put(cmd, home[c], Cmd("unb", c, x, bound[c].r, gen[c], NoFact)) /\ UNCHANGED slot
  /\ UNCHANGED <<siteVars, registerVars, logVars, mirrorVars, edgeVars, home, here, gen, n>>
LegLost(c) ==
  /\ bound[c].x # "-" /\ up[home[c]]
  /\ LET x == bound[c].x
     IN /\ ~Conn(HomeOfAgent[x], home[c]) /\ (~up[HomeOfAgent[x]] \/ <<c, x>> \notin talk)
        /\ bound' = [bound EXCEPT ![c] = Unbound] /\ talk' = talk \ {<<c, x>>}
        /\ cmd' = Put(cmd, home[c], Cmd("unb", c, x, bound[c].r, gen[c], NoFact))
  /\ UNCHANGED <<siteVars, registerVars, logVars, mirrorVars, edgeVars, home, here, gen, slot, n>>
NaiveJoin(x) ==              \* only without EdgeJoin: the agent's own edge decides
  /\ ~EdgeJoin /\ slot[x].st = "ring" /\ slot[x].e >= fence[HomeOfAgent[x]] /\ here[slot[x].c] = "here"
  /\ slot' = [slot EXCEPT ![x].st = "talk"] /\ talk' = talk \cup {<<slot[x].c, x>>}
  /\ bound' = [bound EXCEPT ![slot[x].c] = [x |-> x, r |-> slot[x].r]]
  /\ cmd' = Put(cmd, HomeOfAgent[x], Cmd("bnd", slot[x].c, x, slot[x].r, gen[slot[x].c], NoFact))
  /\ UNCHANGED <<siteVars, registerVars, logVars, mirrorVars, edgeVars, home, here, gen, n>>
RingLost(x) ==               \* E4: the contact's edge is out of reach: stop ringing and say so
  /\ RollCall /\ slot[x].st = "ring" /\ up[HomeOfAgent[x]] /\ ~Conn(HomeOfAgent[x], home[slot[x].c])
  /\ slot' = [slot EXCEPT ![x] = IdleSlot]
  /\ cmd' = Put(cmd, HomeOfAgent[x], Cmd("rel", slot[x].c, x, slot[x].r, gen[slot[x].c], NoFact))
  /\ UNCHANGED <<siteVars, registerVars, logVars, mirrorVars, edgeVars, home, here, gen, bound, talk, n>>
HangUp(x) ==                 \* the contact died with its site: the slot is free
  /\ slot[x].st = "talk" /\ <<slot[x].c, x>> \notin talk /\ bound[slot[x].c].r # slot[x].r
  /\ slot' = [slot EXCEPT ![x] = IdleSlot]
  /\ cmd' = Put(cmd, HomeOfAgent[x], Cmd("rel", slot[x].c, x, slot[x].r, 0, NoFact))
  /\ UNCHANGED <<siteVars, registerVars, logVars, mirrorVars, edgeVars, home, here, gen, bound, talk, n>>
Redial(c) ==                 \* the customer, whose media died with its site, calls the other
  /\ here[c] = "gone" /\ gen[c] = 0 /\ up[Other(home[c])]
  /\ here' = [here EXCEPT ![c] = "here"] /\ gen' = [gen EXCEPT ![c] = 1] /\ home' = [home EXCEPT ![c] = Other(@)]
  /\ cmd' = Put(cmd, Other(home[c]), Cmd("red", c, "-", NoR, 1, NoFact))
  /\ UNCHANGED <<siteVars, registerVars, logVars, mirrorVars, edgeVars, bound, slot, talk, n>>
------------------------------ (* Faults *) ----------------------------------
Crash(s) ==                  \* a site is lost; its disks are not
  /\ up[s] /\ n.crash < MaxCrash /\ n' = [n EXCEPT !.crash = @ + 1]
  /\ up' = [up EXCEPT ![s] = FALSE] /\ grant' = [grant EXCEPT ![s] = 0]
  /\ owner' = [owner EXCEPT ![s] = [i \in Workers |-> NoOwner]]
  /\ here' = [c \in Contacts |-> IF home[c] = s /\ here[c] = "here" THEN "gone" ELSE here[c]]
  /\ bound' = [c \in Contacts |-> IF home[c] = s THEN Unbound ELSE bound[c]]
  /\ slot' = [x \in Agents |-> IF x \in At(s) THEN IdleSlot ELSE slot[x]]
  /\ talk' = {p \in talk : home[p[1]] # s /\ p[2] \notin At(s)}
  /\ fence' = IF PersistFence THEN fence ELSE [fence EXCEPT ![s] = 0]
  /\ eventsRead' = IF PersistFence THEN eventsRead ELSE [eventsRead EXCEPT ![s] = [t \in Sites |-> 0]]
  /\ IF Conn(s, Other(s)) THEN Fix({Other(s)}) ELSE UNCHANGED <<mirrored, cmdMirrored>>
  /\ UNCHANGED <<link, granted, journal, place, events, rewind, cmdShift, cmd, high, stale, home, gen>>
Restart(s) ==                \* E4: its agents log in again under a new session
  /\ ~up[s] /\ up' = [up EXCEPT ![s] = TRUE] /\ n' = [n EXCEPT !.session[s] = @ + 1]
  /\ LET one(x) == IF x \in At(s) /\ RollCall THEN <<Cmd("log", 1, x, NoR, n.session[s] + 1, NoFact)>> ELSE <<>>
     IN cmd' = [cmd EXCEPT ![s] = @ \o one("x") \o one("y")]
  /\ UNCHANGED <<link, registerVars, logVars, mirrorVars, edgeVars, worldVars>>
CutLink ==
  /\ link /\ n.cut < MaxCut /\ link' = FALSE /\ n' = [n EXCEPT !.cut = @ + 1]
  /\ IF up["a"] /\ up["b"] THEN Fix(Sites) ELSE UNCHANGED <<mirrored, cmdMirrored>>
  /\ UNCHANGED <<up, registerVars, logVars, rewind, cmdShift, edgeVars, worldVars, cmd>>
Mend == /\ ~link /\ link' = TRUE
        /\ UNCHANGED <<up, registerVars, logVars, mirrorVars, edgeVars, worldVars, cmd, n>>

Protocol ==
  \/ \E x \in Agents : Bind(x) \/ RingLost(x) \/ NaiveJoin(x) \/ HangUp(x)
  \/ \E c \in Contacts : Join(c) \/ LegLost(c)
  \/ \E s, t \in Sites : EdgeRead(s, t)
  \/ \E s \in Sites, i \in Workers :
       \/ OwnerStop(s, i) \/ NoticeLost(s, i) \/ Claim(s, i)
       \/ \E c \in Contacts, x \in Agents : Offer(s, i, c, x)
       \/ \E t \in Sites : Apply(s, i, t)
       \/ \E c \in Contacts : Timeout(s, i, c)
       \/ Begin(s, i) \/ LateAdopt(s, i)
Fault ==
  \/ \E s \in Sites : RepeatInputs(s) \/ RepeatJournal(s) \/ Grant(s) \/ StepDown(s) \/ Crash(s) \/ Restart(s)
  \/ \E s \in Sites, i \in Workers : ClaimFar(s, i) \/ OwnerCrash(s, i) \/ \E t \in Sites : LoseAppend(s, i, t)
  \/ CutLink \/ Mend
Next == Protocol \/ Fault \/ \E c \in Contacts : Redial(c)
Spec == Init /\ [][Next]_vars
------------------------ (* What must hold: the log *) -----------------------
(* The records that count in a journal by itself (R1-R4), without the state in them. *)
Brief(r) == [k |-> r.k, e |-> r.e, w |-> r.w, q |-> r.q, prev |-> r.prev, full |-> r.full, had |-> r.had]
First(s, p) == {Brief(journal[s][i]) : i \in {j \in 1..p : journal[s][j].v}}
Decisions(s) == First(s, Len(journal[s]))
Epochs(s) == {journal[s][i].e : i \in {j \in 1..Len(journal[s]) : journal[s][j].v}}
OneLeaderPerEpoch == Epochs("a") \cap Epochs("b") = {}
(* A reader of the mirrored journal, repeats and all, acts on the same records as one of the original. *)
MirrorAgrees == \A s \in Sites : rewind[s][1] > 0 =>
  Acted(PlaceAtStart(NewState), Mirror(s, SeenJournal(s)), 1)
    = Acted(PlaceAtStart(NewState), SubSeq(journal[Other(s)], 1, SeenJournal(s)), 1)
(* The owner that reigns has in memory what the log says, but for what it has not lost yet. *)
OwnerIsTheLog == \A s \in Sites, i \in Workers : Ready(s, i) /\ Reigns(s, i) =>
  place[s].n <= owner[s][i].q /\ (place[s].n = owner[s][i].q => place[s].h = owner[s][i].h)
(* R5.  Which decisions count for a reader of both journals: the newest EpochStarted, and what it continues, and so on. *)
RECURSIVE Limit(_, _, _, _)
Limit(B, x, top, e) ==      \* the last entry of epoch e that counts, walking back from epoch x
  IF e = x THEN top
  ELSE LET S == {b \in B : b.e = x} IN IF S = {} THEN 0
       ELSE LET b == CHOOSE d \in S : TRUE IN IF b.prev >= x THEN 0 ELSE Limit(B, b.prev, b.q, e)
Counted(R) ==
  LET B == {r \in R : r.k = "epoch"}
      newest == IF B = {} THEN 0 ELSE (CHOOSE b \in B : \A d \in B : d.e <= b.e).e
      named(e) == {b \in B : b.prev = e}
      limit(e) == IF Chain THEN Limit(B, newest, 99, e)
                  ELSE IF named(e) = {} THEN 99 ELSE (CHOOSE b \in named(e) : \A d \in named(e) : d.e <= b.e).q
  IN {r \in R : r.k = "entry" /\ r.q <= limit(r.e)}
SeenBy(s) == Decisions(s) \cup First(Other(s), SeenJournal(s))
CountedOnce == granted > 1 => \A s \in Sites :
  \A C \in {Counted(SeenBy(s))} : {r.q : r \in C} = 1..Cardinality(C)
(* Where the lost site's journal was claimed and read up to the claim, none of its decisions is ever lost (RPO 0). *)
NothingAfterTheClaim == \A s \in Sites : \A b \in Decisions(s) : b.k = "epoch" /\ b.full =>
  \A r \in Decisions(Other(s)) : r.k = "entry" /\ r.e = b.prev => r.q <= b.q
(* Each site epoch continues a lower one: the chain ends. *)
ChainRises == \A s \in Sites : \A b \in Decisions(s) : b.k = "epoch" => b.prev < b.e
(* A take-over continues the newest epoch that it had read. *)
NewestAdopted == \A s \in Sites : \A b \in Decisions(s) : b.k = "epoch" => b.prev = b.had
(* Not promised: that what one take-over made void stays void under the next, which may not have seen it. *)
VoidStays == \A B \in {{r \in Decisions("a") \cup Decisions("b") : r.k = "epoch"}} : \A b, d \in B : b.e < d.e =>
  \A e \in 1..b.e - 1 : Limit(B, d.e, 99, e) <= Limit(B, b.e, 99, e)
------------------------ (* What must hold: people *) ------------------------
NoContactTwoAgents == \A p, q \in talk : p[1] = q[1] => p = q
NoSlotTwoContacts == \A p, q \in talk : p[2] = q[2] => p = q
NoStaleAccepted == ~stale
OrderKept == ~(place["a"].st.ord = <<1, 2>> /\ place["b"].st.ord = <<2, 1>>)
          /\ ~(place["a"].st.ord = <<2, 1>> /\ place["b"].st.ord = <<1, 2>>)
(* A current leader is up and nothing is left to do: then nobody who can be reached waits beside an idle agent who can. *)
Served ==
  (\E s \in Sites : /\ up[s] /\ grant[s] = granted
                    /\ \E c \in Contacts, x \in Agents : here[c] = "here" /\ bound[c].x = "-" /\ Conn(s, home[c])
                                                      /\ Conn(s, HomeOfAgent[x]) /\ slot[x].st = "idle")
  => ENABLED Protocol
(* Offers and refusals do not go in a circle. *)
Bounded == \A s \in Sites : place[s].st.k <= 9
=============================================================================

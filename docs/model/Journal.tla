------------------------------ MODULE Journal ------------------------------
(* What a journal's records mean: the reader's rule, as pure operators.       *)
(* The numbers R1-R5 are those of libs/journal/junctor_journal/reader.py and  *)
(* of ../two-sites.md.                                                        *)
(*                                                                            *)
(* A record is one of                                                         *)
(*   "owner"  OwnerStarted: a claim of the epoch <<e, o>> by owner id w       *)
(*   "epoch"  EpochStarted: begins site epoch e behind entry q, hash h, of    *)
(*            site epoch prev                                                 *)
(*   "entry"  one applied input: sequence q, hash h of the entry before       *)
(* and `st` is the state after it.  The hash of an entry is <<w, q>>: an owner *)
(* id is used for one reign, so the pair names the entry.                     *)
EXTENDS Naturals, Sequences
CONSTANTS
  OwnerRule,    \* R2: an entry counts in its owner's reign only
  HigherOnly    \* R1: only a higher claim opens a reign

NoHash == <<0, 0>>

(* Where a reader stands: all that its verdicts depend on. *)
PlaceAtStart(st) == [e |-> 0, o |-> 0, w |-> 0, n |-> 0, h |-> NoHash, begun |-> 0, cut |-> TRUE, st |-> st]

Above(r, p) == r.e > p.e \/ (r.e = p.e /\ r.o > p.o)
InReign(r, p) == r.e = p.e /\ r.o = p.o /\ r.w = p.w /\ ~p.cut

See(p, r) ==
  CASE r.k = "owner" ->                                                   \* R1
         IF Above(r, p) \/ ~HigherOnly THEN [p EXCEPT !.e = r.e, !.o = r.o, !.w = r.w, !.cut = FALSE] ELSE p
    [] r.k = "epoch" ->
         IF ~InReign(r, p) \/ p.begun >= r.e THEN p
         ELSE [p EXCEPT !.begun = r.e, !.n = r.q, !.h = r.h, !.st = r.st]
    [] r.k = "entry" ->
         IF (OwnerRule /\ ~InReign(r, p)) \/ p.begun # r.e \/ p.cut THEN p \* R2; and nothing before EpochStarted
         ELSE IF r.q <= p.n THEN p                                         \* R3: a repeat
         ELSE IF r.q = p.n + 1 /\ r.h = p.h THEN [p EXCEPT !.n = r.q, !.h = <<r.w, r.q>>, !.st = r.st]
         ELSE [p EXCEPT !.cut = TRUE]                                      \* R3: a gap

(* R4: the verdict depends on the records before, so it is final when the record is appended. *)
Counts(p, r) == /\ r.k # "owner"
                /\ See(p, r).n # p.n \/ See(p, r).begun # p.begun

(* A value bound by a set is evaluated once, an argument each time it is used: hence the sets of one element. *)
The(S) == CHOOSE x \in S : TRUE
RECURSIVE ReadOn(_, _, _)
ReadOn(p, q, i) == IF i > Len(q) THEN p ELSE The({ReadOn(next, q, i + 1) : next \in {See(p, q[i])}})
Read(q, st) == ReadOn(PlaceAtStart(st), q, 1)

(* The records that count, in order: what a reader would act on. *)
RECURSIVE Acted(_, _, _)
Acted(p, q, i) ==
  IF i > Len(q) THEN <<>>
  ELSE (IF Counts(p, q[i]) THEN <<<<q[i].k, q[i].w, q[i].q>>>> ELSE <<>>) \o
       The({Acted(next, q, i + 1) : next \in {See(p, q[i])}})
=============================================================================

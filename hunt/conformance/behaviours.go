package conformance

// behaviour is a Behaviour with its check.
type behaviour struct {
	Behaviour
	ground ground
	needs  []need // what a suite must have for it
	check  func(*subject)
}

// leaks is the behaviour that measures memory.
const leaks = "Leaks"

// ground is what source a behaviour is checked over.
type ground uint8

const (
	shared   ground = iota // that of the session: nothing is changed
	ownSmall               // one of its own with few events
	ownLarge               // one of its own with many events of one stream
)

// need is something of a suite that a behaviour cannot do without.
type need struct {
	met func(Suite) bool
	why string
}

func needsOpen() need {
	return need{func(s Suite) bool { return s.Open != nil }, "the source holds what it holds (a survey), so nothing can be compared with what was loaded"}
}

func needsGrow() need {
	return need{func(s Suite) bool { return s.Grow != nil && s.Open != nil }, "the suite cannot add events to the source (no Grow)"}
}

func needsRemove() need {
	return need{func(s Suite) bool { return s.Remove != nil && s.Open != nil }, "the suite cannot delete events of the source (no Remove)"}
}

func needsFault() need {
	return need{func(s Suite) bool { return s.Fault != nil }, "the suite cannot make the source fail (no Fault)"}
}

func needsThrottle() need {
	return need{func(s Suite) bool { return s.Throttle != nil }, "the suite cannot make the source throttle (no Throttle)"}
}

func needsSecrets() need {
	return need{func(s Suite) bool { return len(s.Secrets) > 0 }, "the suite names no secret of the connection (no Secrets)"}
}

// missing says what the behaviour lacks, "" if nothing.
func (b *behaviour) missing(s Suite) string {
	for _, n := range b.needs {
		if !n.met(s) {
			return n.why
		}
	}
	return ""
}

// Behaviours returns what is checked, in the order in which it is best read: what the others rest on comes first.
func Behaviours() []Behaviour {
	var out []Behaviour
	for _, b := range table() {
		out = append(out, b.Behaviour)
	}
	return out
}

func find(name string) *behaviour {
	for _, b := range table() {
		if b.Name == name {
			return &b
		}
	}
	return nil
}

func table() []behaviour {
	return append(append(meanings(), flows()...), states()...)
}

// meanings are about what is found.
func meanings() []behaviour {
	return []behaviour{
		{Behaviour{"Describe", "A description is well-formed, answered within a second, and the same when nothing has changed."}, shared, nil, checkDescribe},
		{Behaviour{"Facts", "What a description says of a stream (attributes, closed values, range of time, rows, events without a time) is true of its events."}, shared, nil, checkFacts},
		{Behaviour{"Contents", "A search for everything gives exactly the events that the source was loaded with, with every value of every attribute."}, shared, []need{needsOpen()}, checkContents},
		{Behaviour{"Translate", "A translation answers every predicate with a disposition, is fast, and is the same whenever and however often it is asked for."}, shared, nil, checkTranslate},
		{Behaviour{"Impossible", "A predicate on an attribute that the stream does not have is IMPOSSIBLE, for every operator."}, shared, nil, checkImpossible},
		{Behaviour{"Predicates", "Every attribute with every operator and both case rules gives the rows of Match: exactly if EXACT, a superset if WIDENED, all rows if not asked."}, shared, nil, checkPredicates},
		{Behaviour{"Hostile", "Arguments of any length, with bytes that are no UTF-8, NUL, wildcards, quotes, odd letters and extreme numbers give the rows of Match."}, shared, nil, checkHostile},
		{Behaviour{"Expressions", "Nested conditions with negations and bound elements of arrays give the rows of Match."}, shared, nil, checkExpressions},
		{Behaviour{"Lists", "An `in` with as many values as MaxValues, one more, and ten thousand gives the rows of Match."}, shared, nil, checkLists},
	}
}

// flows are about how it comes.
func flows() []behaviour {
	return []behaviour{
		{Behaviour{"Order", "Rows come by time and uid, upwards or downwards, across batches."}, shared, nil, checkOrder},
		{Behaviour{"Paging", "Pages of any size, each after the last row of the one before, give every row once, also among equal times."}, shared, nil, checkPaging},
		{Behaviour{"ForeignKeys", "A key of another tenant or connection has its place among the rows of one instant."}, shared, nil, checkForeignKeys},
		{Behaviour{"Range", "Ranges are half-open, to the microsecond."}, shared, nil, checkRange},
		{Behaviour{"Limit", "With a limit at least that many rows come, the first ones, also where a part of the condition is checked afterwards."}, shared, nil, checkLimit},
		{Behaviour{"Projection", "Batches hold the columns that were asked for, with the values that the events have."}, shared, nil, checkProjection},
		{Behaviour{"Frames", "A search ends with one End and nothing after it; no frame is nil; progress only grows; events without a time are counted."}, shared, nil, checkFrames},
		{Behaviour{"Batches", "Batches have the schema that was asked for, 1 to 65,536 rows and valid Arrow memory that never changes."}, shared, nil, checkBatches},
		{Behaviour{"Concurrency", "Searches, translations and descriptions at the same time give what they give alone."}, shared, nil, checkConcurrency},
		{Behaviour{"Cancel", "A search stops within a second of its context's end, at whatever frame, and does not pass for complete."}, shared, nil, checkCancel},
		{Behaviour{"Break", "A consumer that stops reading, at whatever frame, leaves nothing behind, and the connection works on."}, shared, nil, checkBreak},
		{Behaviour{leaks, "Goroutines and memory do not grow with the number of searches."}, shared, nil, checkLeaks},
		{Behaviour{"Secrets", "No description, native query or error shows a secret."}, shared, []need{needsSecrets()}, checkSecrets},
	}
}

// states are about sources that change, fail or end.
func states() []behaviour {
	return []behaviour{
		{Behaviour{"UIDs", "An event has one uid, and the same after the source is opened again, in every order, page and projection."}, ownSmall, nil, checkUIDs},
		{Behaviour{"Snapshot", "A request with a snapshot gives the same rows after events were added; one without it gives the new ones too."}, ownSmall, nil, checkSnapshot},
		{Behaviour{"Duplicates", "An event that is added again is not a second event."}, ownSmall, []need{needsGrow()}, checkDuplicates},
		{Behaviour{"Removal", "Events that are deleted between two pages make no other event come twice or get lost."}, ownSmall, []need{needsRemove()}, checkRemoval},
		{Behaviour{"Fault", "A source that fails at whatever frame gives what it has and says the gap before the rows after it, or fails; it never passes for complete."}, ownLarge, []need{needsFault()}, checkFault},
		{Behaviour{"Throttle", "A source that makes a search wait is waited for and says so, or fails with SOURCE_THROTTLED and the time to wait."}, ownSmall, []need{needsThrottle()}, checkThrottle},
		{Behaviour{"Close", "Close may be called twice and during a search, waits for goroutines, and a search after it fails."}, ownSmall, nil, checkClose},
	}
}

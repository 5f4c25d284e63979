package elastic

import (
	"encoding/json"

	"github.com/harrier-xdr/harrier/hunt"
	"github.com/harrier-xdr/harrier/hunt/mapping"
)

// kind is how a field can be asked.
type kind uint8

const (
	kindNone       kind = iota // not indexed, or of a type that this package does not ask
	kindKeyword                // whole values as they are
	kindNormalized             // whole values in lower case (normalizer "lowercase")
	kindWildcard               // whole values as they are, n-gram indexed
	kindText                   // analysed: words, not values
	kindIP
	kindInteger   // byte to long: exact integers
	kindDouble    // exact 64-bit floats
	kindInexact   // float, half_float, scaled_float, unsigned_long: compared values differ from those in the document
	kindBoolean   //
	kindDate      // milliseconds
	kindDateNanos // nanoseconds, 1970 to 2262
	kindConstant  // constant_keyword
	kindFlattened // a key below a flattened or flat_object field: whole values as they are, no case rule
)

// field is what the indices of a group say about one field; they all say the same.
type field struct {
	Name        string
	Kind        kind
	Type        string   // the type's name in the mapping, for people
	IgnoreAbove int      // longer values (UTF-16 units, before normalizing) are not in the index; 0 if all are
	Nested      string   // path of the nested object that holds it, "" if none
	Searchable  bool     // there is an index or doc values to ask
	Runtime     bool     // computed at the time of the search
	Lower       string   // sub-field that holds the same values in lower case, "" if there is none; it leaves out no more values than the field
	Malformed   bool     // values that are none of the type are kept out of the index instead of being refused
	Why         string   // why the field cannot be asked, for people; "" if it can
	Kids        []string // of an object that holds nothing but values: their names, sorted; they are fields of the group
}

// group is a set of indices that agree about every field, so that one query is right for all of them.
type group struct {
	Indices []string // sorted
	Fields  map[string]field
	// Ignored says that documents name the fields whose value was not indexed in _ignored, and that it can be asked (Elasticsearch).
	Ignored bool
	// Opaque are the objects under which documents may hold fields that the mapping does not list (dynamic: false, enabled: false), ""
	// for the whole document. A field that is neither in Fields nor below one of them is in no document of the group.
	Opaque []string
}

// source is one stream of the connection and how to ask it.
type source struct {
	stream  hunt.Stream
	mapping *mapping.Mapping // of foreign documents; nil for OCSF documents, whose fields are named like the columns
	when    json.RawMessage  // query that selects the documents of the stream in its groups; nil for all
	groups  []group
	time    string   // field of the time of an event
	times   []string // all fields that the time may come from, the first that a document has; time is the first of them
	micros  bool     // time holds microseconds as integers (documents that this package wrote), not a date
	frugal  bool     // the cluster refuses expensive queries (search.allow_expensive_queries is false): ask none
	clauses int      // most clauses of one query that the cluster takes; 0 for 1024, which every cluster takes
}

// nativeSearch is one request of a translation: a query that is right for every index that it names. The native text of a translation
// is a JSON array of these, and is all that a search needs besides the request.
type nativeSearch struct {
	Indices []string        `json:"indices"`
	Query   json.RawMessage `json:"query"`
	// Exact says that the query selects exactly what the request's condition does, so that a limit may be pushed.
	Exact bool `json:"exact"`
}

// longField is the field in which documents that this package wrote list the columns whose indexed value is not the value itself: it was
// too long to index, or holds bytes that are no UTF-8. Objects in arrays have one of their own, below the array.
const longField = "harrier.long"

// Package hunttest proves that a connector keeps the contract of package hunt.
//
// It owns the conformance suite (Run, Suite), the generators of random and hostile events and conditions (RandomBatch, RandomExpr,
// RandomPredicate), and the plain reference that every evaluation is compared with (Expect, which is Expr.Match row by row). All of
// it is deterministic: the same seed gives the same events.
//
// It opens no source and knows no vendor: a connector's own test says how its source is loaded. Only tests import it, those of every
// connector, of the plugin host and of packages hunt and vector.
package hunttest

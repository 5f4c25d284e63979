// Package sample makes events and conditions that evaluations get wrong.
//
// It owns the generators of random and hostile events (RandomBatch) and conditions (RandomExpr, RandomPredicate, HostileArgs), and the
// plain reference that every evaluation is compared with (Expect, which is Expr.Match row by row). All of it is deterministic: the
// same seed gives the same events.
//
// It opens no source and judges none: package conformance does that with what this package makes, and package hunttest offers the
// generators to tests.
package sample

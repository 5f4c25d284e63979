// Package hunttest proves under go test that a connector keeps the contract of package hunt.
//
// It owns Run and Suite, which report the behaviours of package conformance as subtests, and offers tests the generators and the plain
// reference of package conformance/sample (RandomBatch, RandomExpr, Expect). What is checked and how is theirs.
//
// It opens no source and knows no vendor: a connector's own test says how its source is loaded. Only tests import it, those of every
// connector, of the plugin host and of packages hunt and vector.
package hunttest

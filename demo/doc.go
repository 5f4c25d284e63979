// Package demo writes the telemetry that Harrier's demonstration runs on: one
// believable intrusion across endpoint, network, cloud and identity, inside
// the ordinary noise of a small company, each source in the format its vendor
// really writes.
//
// It owns the invented company (hosts, users, addresses, programs), the noise,
// the story, and the writers of the four native formats. It does not own
// mappings, ingestion or queries: it imports nothing of Harrier, so that the
// files prove the mappings and are not shaped by them.
//
// The same Options give byte-identical files. Every name and address is
// invented: public addresses come from the documentation ranges, public names
// end in .example. The demo command and end-to-end tests call Write.
package demo

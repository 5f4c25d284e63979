// Package scaffold writes a new plugin project: a connector in Go that works, for an invented vendor that its author replaces.
//
// It owns the templates (template/**) and what names a project may have. What it writes builds, passes its own tests and keeps the
// contract of package hunt before anything is changed; the test of this package holds it to that. It runs no command and fetches
// nothing. The command `harrier plugin new` calls it.
package scaffold

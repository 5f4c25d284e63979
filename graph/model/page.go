package model

import (
	"github.com/harrier-xdr/harrier/hunt"
	"github.com/harrier-xdr/harrier/hunt/exec"
)

// EventArgs are the arguments of a class root field.
type EventArgs struct {
	Class       int64 // OCSF class_uid
	TimeRange   Input
	Where       Input
	Tenants     []string
	Connections []string
	Order       EventOrder
	First       int
	After       *string
	OnFailure   OnSourceFailure
}

// Connection is what the connections of all classes share. Its rows are columns: the fields marked @columnar are written from Page,
// and the typed Nodes and Edges beside it are filled by the stock path alone, which tests compare with.
type Connection struct {
	Page       *exec.Page
	Cursor     func(k hunt.Key, row int) string // signs the cursor of a row; row counts within the page from 0
	PageInfo   *PageInfo
	Coverage   *Coverage
	TotalCount *Count
}

// Columnar returns the page that the columnar writer reads.
func (c *Connection) Columnar() *Connection { return c }

// HuntConnection is the GraphQL type of that name.
type HuntConnection struct {
	*Connection
	Nodes []Event
	Edges []*HuntEdge
}

// HuntEvents is the GraphQL type of that name; its rows are written from Page as those of a connection are.
type HuntEvents struct {
	Page   *exec.Page
	Events []Event
	Cursor string
}

// Columnar returns the rows as a connection without cursors.
func (h *HuntEvents) Columnar() *Connection { return &Connection{Page: h.Page} }

// IsHuntUpdate marks a member of the union.
func (*HuntEvents) IsHuntUpdate() {}

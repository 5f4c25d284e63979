package graph

// NewExecutorWith lets tests take the stock path in place of the columnar one.
var NewExecutorWith = newExecutor

// GlobalID is the id of an event.
var GlobalID = eventID

// AppendRow appends a row of a page.
type AppendRow = appendRow

// List writes the rows of a page.
var List = list

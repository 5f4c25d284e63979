package graph

// NewExecutorWith lets tests take the stock path in place of the columnar one.
var NewExecutorWith = newExecutor

// GlobalID is the id of an event.
var GlobalID = eventID

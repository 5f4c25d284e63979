// Package memory is a connector whose source is the process's own memory: batches that the caller appends.
//
// It owns their storage, their de-duplication by uid and their search, which is exact for every operator. It keeps nothing after the
// process and reads no file or network. Tests of the executor and of GraphQL, and programs that embed Harrier, call it; it is the
// first connector that package hunttest proves, and the shortest example of one.
package memory

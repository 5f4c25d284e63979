package heap

import (
	"math"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
)

// What programs ask for, in bytes.
const (
	Gateway = 128 << 20
	plugin  = 32 << 20
)

// roomy is from how much memory on a bounded process has a reserve, in bytes.
const roomy = 16 * plugin

// Within is Reserve for a process that the operating system ends if it wants more than some bytes of memory; 0 if nothing bounds it. As it
// comes near to that it collects, however often it has to: a tenth is left to what is not on the heap.
func Within(bytes int64) (release func()) {
	if bytes == 0 {
		return Reserve(plugin)
	}
	if !byDefault() {
		return func() {}
	}
	release = func() {}
	if bytes >= roomy {
		release = Reserve(plugin)
	}
	debug.SetMemoryLimit(bytes - bytes/10)
	return release
}

// Reserve lets the heap grow by size bytes before it is collected, until release is called. The reserve is address space that is never
// touched, so that it takes no memory; what takes memory is the garbage that there is now room for. If the collector is set otherwise than
// by default, by GOGC or GOMEMLIMIT, it does nothing: somebody has decided.
func Reserve(size int) (release func()) {
	if !byDefault() {
		return func() {}
	}
	reserve := make([]byte, size) // without pointers, so that a collection does not look at it either
	return func() { runtime.KeepAlive(reserve) }
}

// byDefault says whether the collector is as Go sets it: it starts when the heap has doubled, whatever its size.
func byDefault() bool {
	set := []metrics.Sample{{Name: "/gc/gogc:percent"}, {Name: "/gc/gomemlimit:bytes"}}
	metrics.Read(set)
	return set[0].Value.Uint64() == 100 && set[1].Value.Uint64() == math.MaxInt64
}

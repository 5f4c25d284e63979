package heap

import (
	"math"
	"runtime"
	"runtime/metrics"
)

// What programs ask for, in bytes. A plugin has less to do, and may have a limit of its own.
const (
	Gateway = 128 << 20
	Plugin  = 32 << 20
)

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

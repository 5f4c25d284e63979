package files

import "time"

// NoDebounce makes every Describe look at the folder.
func (f *Files) NoDebounce() { f.debounce = 0 }

// Settled is how old a file must be for its last line to count as complete at the first look.
const Settled = settled

// CachedBytes is what the cache holds.
func (f *Files) CachedBytes() int64 {
	f.cache.mu.Lock()
	defer f.cache.mu.Unlock()
	return f.cache.used
}

// Aged is a time at which a file is settled.
func Aged() time.Time { return time.Now().Add(-2 * settled) }

// NoPatience makes every Describe answer without the files that are not read yet.
func (f *Files) NoPatience() { f.patience = 0 }

// Patience makes every Describe wait for all files, however busy the machine is.
func (f *Files) Patience() { f.patience = time.Hour }

// KeepGone bounds what is remembered of what is gone.
func (f *Files) KeepGone(n int) { f.keptGone = n }

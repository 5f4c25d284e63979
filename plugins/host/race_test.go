//go:build race

package host_test

// raceDetector says whether the tests run with it.
const raceDetector = true

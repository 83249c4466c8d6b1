// Package conformance compares the cache model with BuildKit itself. It holds tests and what they need, and is a module
// of its own so that BuildKit's client, solver and frontend stay out of the product.
//
// A generator makes builds and edits of them (generate.go, edit.go). Two oracles say which instructions the next build
// really executes. InProcess drives BuildKit's frontend, solver, cache maps, file transfer and content hash with faked
// execution, hundreds of builds a second; Real is a buildkitd that the tests build and start (daemon/), which needs
// root, runc and a static busybox. What the model promises is held against both, line by line (check.go): a step that
// was to be cached and ran, or was to be rebuilt for certain and did not, fails the test, and so does a doubt for which
// there is no reason. Failures are shrunk (shrink.go) and printed as a case for testdata/regressions, which both
// oracles run (txtar.go).
//
// The tests take a slice of either oracle:
//
//	go test ./...
//
// and the long run, which ends with the share of each verdict and what has been covered, is
//
//	go test -run 'TestInProcess|TestReal' -v -timeout 0 -args -pairs 50000 -real 3000 -seed 1
//
// The keys that an exported cache has are compared with BuildKit's own operations, and with what a daemon exports:
//
//	go test -run TestExact -v -timeout 0 -args -exact 20000 -keys 300
//
// Pairs of folders written by hand, with what no generator thinks of, go through the command line and from the disk;
// what the daemon did of each is kept (pairs_test.go):
//
//	go test -run TestPairs -timeout 0 -args -pairs-played 0 -pairs-built 0
//
// The same pairs are built with docker build on Docker engines, with their images in the engine's store: a current one,
// which is built from Go modules once, and the one that is installed (Debian's docker.io) with its classic builder,
// which leaves out what only BuildKit has:
//
//	go test -run TestPairsOnEngines -v -timeout 0 -args -engine-pairs 0
//
// What people do with docker build before they ask is played on the engine (situations_test.go):
//
//	go test -run TestSituations -v -args -situations 0
//
// Edits between two builds, which layerwise why has to name as the cause:
//
//	go test -run TestWhyPairs -v -args -why-pairs 0
//
// Sequences of builds with edits, failures, other targets and builders, and prunes in between go to BuildKit and to the
// engine:
//
//	go test -run TestSequences -v -timeout 0 -args -sequences 200
//
// The garbage collection of BuildKit and of the engine removes results between two builds (collected_test.go):
//
//	go test -run TestGarbageCollection -v
//
// Builds upon builds, as bake and Compose files describe them, are played the same way with docker buildx bake
// (upon_test.go):
//
//	go test -run TestBuildsUponBuilds -timeout 0 -args -upon-played 0
//
// Real histories, each commit with its real build context, come from git repositories that are at hand:
//
//	go test -run TestGitHistories -v -timeout 0 -args -histories DIR[,DIR]
//
// layerwise reorder --verify runs with real programs, buildx among them, against the daemon:
//
//	go test -run TestVerify -v
//
// What orders and cache mounts save in seconds is measured with real tools on real histories:
//
//	go test -run TestSeconds -v -timeout 0 -args -seconds REPOSITORY:CONTEXT:DOCKERFILE,...
//
// The race detector finds races of BuildKit's own (the frontend's resolve cache, the solver's trace fields), so these
// tests run without it. Equal seeds make equal cases: a case is found again with -seed N -pairs 1.
package conformance

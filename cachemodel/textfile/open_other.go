//go:build !unix

package textfile

// NonBlocking is nothing where there are no named pipes.
const NonBlocking = 0

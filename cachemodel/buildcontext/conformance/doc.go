// Package conformance compares buildcontext with the code of BuildKit that it models: fsutil's filtered walk and
// transfer, and the content hash of what was transferred. It is a module of its own, for tests only, so that BuildKit's
// cache and its many dependencies stay out of the product.
package conformance

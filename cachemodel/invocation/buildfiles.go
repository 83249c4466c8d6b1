package invocation

// bake reads `docker buildx bake`.
func (c *command) bake(string) ([]Build, error) {
	return nil, notRecordable("builds of bake files are not read yet")
}

// compose reads what stands behind `docker compose`.
func compose(c *command) ([]Build, error) {
	return nil, notRecordable("builds of compose files are not read yet")
}

package dockerfile

import "testing"

func TestIsName(t *testing.T) {
	for name, want := range map[string]bool{
		"Dockerfile": true, "dockerfile": true, "Dockerfile.dev": true, "web.Dockerfile": true, "Containerfile": true, "CONTAINERFILE.prod": true,
		"a.containerfile": true, "DOCKERFILE": true, "Dockerfile.a.b": true, ".dockerfile": true,
		"Dockerfile.dockerignore": false, "web.Dockerfile.dockerignore": false, "Dockerfile.md": false, ".dockerignore": false,
		"Dockerfile-dev": false, "Dockerfiles": false, "MyDockerfile": false, "docker-compose.yaml": false, "": false,
	} {
		if got := IsName(name); got != want {
			t.Errorf("IsName(%q) = %v", name, got)
		}
	}
}

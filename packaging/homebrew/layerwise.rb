class Layerwise < Formula
  desc "Say what the next docker build will reuse, and why not the rest"
  homepage "https://github.com/layerwise/layerwise"
  url "https://github.com/layerwise/layerwise/archive/refs/tags/v0.1.0.tar.gz"
  sha256 "0000000000000000000000000000000000000000000000000000000000000000"
  license "Apache-2.0"
  head "https://github.com/layerwise/layerwise.git", branch: "main"

  depends_on "go" => :build

  def install
    ldflags = "-s -w -X main.version=#{version}"
    system "go", "build", *std_go_args(ldflags:, tags: "grpcnotrace"), "./cmd/layerwise"
    generate_completions_from_executable(bin/"layerwise", "completion")
  end

  test do
    (testpath/"Dockerfile").write "FROM alpine:3.22\nEVN A=1\n"
    assert_match "unknown-instruction", shell_output("#{bin}/layerwise check --format json", 1)
    assert_match version.to_s, shell_output("#{bin}/layerwise version")
  end
end

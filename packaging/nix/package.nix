{
  lib,
  buildGoModule,
  fetchFromGitHub,
  installShellFiles,
  versionCheckHook,
}:

buildGoModule (finalAttrs: {
  pname = "layerwise";
  version = "0.1.0";

  src = fetchFromGitHub {
    owner = "layerwise";
    repo = "layerwise";
    tag = "v${finalAttrs.version}";
    hash = lib.fakeHash;
  };

  vendorHash = lib.fakeHash;

  subPackages = [ "cmd/layerwise" ];
  tags = [ "grpcnotrace" ];
  env.CGO_ENABLED = 0;
  ldflags = [
    "-s"
    "-w"
    "-X main.version=${finalAttrs.version}"
  ];

  # The tests run git, and builders where there are some.
  doCheck = false;

  nativeBuildInputs = [ installShellFiles ];
  postInstall = ''
    installShellCompletion --cmd layerwise \
      --bash <($out/bin/layerwise completion bash) \
      --fish <($out/bin/layerwise completion fish) \
      --zsh <($out/bin/layerwise completion zsh)
  '';

  nativeInstallCheckInputs = [ versionCheckHook ];
  versionCheckProgramArg = "version";
  doInstallCheck = true;

  meta = {
    description = "Says what the next docker build will reuse, and why not the rest";
    homepage = "https://github.com/layerwise/layerwise";
    changelog = "https://github.com/layerwise/layerwise/blob/v${finalAttrs.version}/CHANGELOG.md";
    license = lib.licenses.asl20;
    mainProgram = "layerwise";
  };
})

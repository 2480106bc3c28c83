# The formula of a release. `packaging/homebrew/formula` puts the address, the version and the sums in.
class Latchkey < Formula
  desc "Create, deliver, rotate and verify API tokens declared in a file"
  homepage "@HOMEPAGE@"
  version "@VERSION@"
  license "Apache-2.0"

  on_macos do
    on_arm do
      url "@RELEASES@/latchkey-@VERSION@-aarch64-apple-darwin.tar.gz"
      sha256 "@SHA256 aarch64-apple-darwin@"
    end
    on_intel do
      url "@RELEASES@/latchkey-@VERSION@-x86_64-apple-darwin.tar.gz"
      sha256 "@SHA256 x86_64-apple-darwin@"
    end
  end

  on_linux do
    on_arm do
      url "@RELEASES@/latchkey-@VERSION@-aarch64-unknown-linux-musl.tar.gz"
      sha256 "@SHA256 aarch64-unknown-linux-musl@"
    end
    on_intel do
      url "@RELEASES@/latchkey-@VERSION@-x86_64-unknown-linux-musl.tar.gz"
      sha256 "@SHA256 x86_64-unknown-linux-musl@"
    end
  end

  def install
    bin.install "provision"
    man.install Dir["man/*"]
    bash_completion.install "completions/bash/provision"
    fish_completion.install "completions/fish/provision.fish"
    zsh_completion.install "completions/zsh/_provision"
  end

  test do
    assert_match version.to_s, shell_output("#{bin}/provision --version")
  end
end

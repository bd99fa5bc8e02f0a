
# --- install what lies beside this script, and reach nothing ---
bundle=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd)
as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi; }

install_bundle() {
    (cd "$bundle" && sha256sum -c SHA256SUMS >/dev/null) || {
        echo "[ERROR]  this bundle is damaged: copy it again ($bundle)" >&2
        exit 1
    }
    bin=${INSTALL_K3S_BIN_DIR:-/usr/local/bin}
    images=${K3S_DATA_DIR:-/var/lib/rancher/k3s}/agent/images
    as_root mkdir -p "$bin" "$images"
    # a running k3s is not changed under its feet, and a new one is started
    if ! cmp -s "$bundle/k3s" "$bin/k3s"; then
        as_root cp "$bundle/k3s" "$bin/k3s.new"
        as_root chmod 755 "$bin/k3s.new"
        as_root mv -f "$bin/k3s.new" "$bin/k3s"
        export INSTALL_K3S_FORCE_RESTART=true
    fi
    set +o noglob
    as_root cp "$bundle"/k3s-airgap-images-*.tar.zst "$images"
    set -o noglob
    export INSTALL_K3S_SKIP_DOWNLOAD=true
}

install_bundle

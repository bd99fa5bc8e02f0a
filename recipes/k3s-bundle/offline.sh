
# --- install what lies beside this script, and reach nothing ---
bundle=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd)

# the folder that K3s will use: its flag, its variable or its configuration say so
bundle_data_dir() {
    dir=$(sed -n 's/^data-dir: *//p' /etc/rancher/k3s/config.yaml 2>/dev/null | tr -d "\"'")
    dir=${K3S_DATA_DIR:-$dir}
    while [ $# -gt 0 ]; do
        case $1 in
            --data-dir=*|-d=*) dir=${1#*=} ;;
            --data-dir|-d) dir=${2-} ;;
        esac
        shift
    done
    echo "${dir:-/var/lib/rancher/k3s}"
}

# whole or not at all: K3s reads no file of the first name, and may be running from the second
bundle_place() {
    $SUDO cp "$1" "$2.new"
    $SUDO chmod "$3" "$2.new"
    $SUDO sync
    $SUDO mv -f "$2.new" "$2"
}

install_bundle() {
    setup_verify_arch
    archive=k3s-airgap-images-$ARCH.tar.zst
    [ -f "$bundle/$archive" ] || fatal "This bundle is not for $ARCH: get the one that is"
    [ -x "$(command -v sha256sum)" ] || fatal 'There is no sha256sum to check the bundle with: install coreutils'
    (cd "$bundle" && sha256sum -c SHA256SUMS >/dev/null) || fatal "The bundle is damaged: copy it again to $bundle"

    images=$(bundle_data_dir "$@")/agent/images
    info "Installing images to $images"
    $SUDO mkdir -p "$images"
    bundle_place "$bundle/$archive" "$images/$archive" 644
    if [ "${INSTALL_K3S_BIN_DIR_READ_ONLY}" != true ]; then
        info "Installing k3s to ${BIN_DIR}/k3s"
        $SUDO mkdir -p "${BIN_DIR}"
        bundle_place "$bundle/k3s" "${BIN_DIR}/k3s" 755
    fi
    INSTALL_K3S_SKIP_DOWNLOAD=true
    # an earlier run may have ended before it started what it installed
    INSTALL_K3S_FORCE_RESTART=${INSTALL_K3S_FORCE_RESTART:-true}
}

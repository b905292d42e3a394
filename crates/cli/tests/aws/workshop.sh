#!/usr/bin/env bash
# The App Mesh Workshop's calls in its order, from the first mesh to the cleanup: what it does with the
# `aws` command line to the letter of its specs, and what it does with Kubernetes resources by the same
# resources. Where the workshop asks the reader to look, this script looks.

set -euo pipefail
export MESH_NAME=appmesh-workshop
CRYSTAL=crystal.appmeshworkshop.hosted.local
NODEJS=nodejs.appmeshworkshop.hosted.local
LISTENER='{"healthCheck":{"healthyThreshold":3,"intervalMillis":10000,"path":"/health","port":3000,"protocol":"http","timeoutMillis":5000,"unhealthyThreshold":3},"portMapping":{"port":3000,"protocol":"http"}}'
LOGGING='{"accessLog":{"file":{"path":"/dev/stdout"}}}'
cd "$(mktemp -d)"
trap 'rm -r "$PWD"' EXIT

appmesh() {
    aws appmesh "$@" --output text > answer || { echo "failed: aws appmesh $*" >&2; exit 1; }
}

# shows WORDS: the last answer has them.
shows() {
    grep -qF -- "$1" answer || { echo "no '$1' in:" >&2; cat answer >&2; exit 1; }
}

# crystal_node NAME TASK_SET
crystal_node() {
    cat > "$1.json" <<SPEC
{"serviceDiscovery":{"awsCloudMap":{"namespaceName":"appmeshworkshop.pvt.local","serviceName":"crystal",
 "attributes":[{"key":"ECS_TASK_SET_EXTERNAL_ID","value":"$2"}]}},"logging":$LOGGING,"listeners":[$LISTENER]}
SPEC
    appmesh create-virtual-node --mesh-name "$MESH_NAME" --virtual-node-name "$1" --spec "file://$1.json"
}

# route NAME SPEC, `create-route` or `update-route` before it
route() {
    echo "$3" > "$2.json"
    appmesh "$1" --mesh-name "$MESH_NAME" --virtual-router-name crystal-router --route-name "$2" \
        --spec "file://$2.json"
}

# by_weight PRIORITY TARGETS
by_weight() {
    echo "{\"httpRoute\":{\"action\":{\"weightedTargets\":[$2]},\"match\":{\"prefix\":\"/\"}},\"priority\":$1}"
}

target() {
    echo "{\"virtualNode\":\"$1\",\"weight\":$2}"
}

# mesh_crystal
appmesh create-mesh --mesh-name "$MESH_NAME" --spec egressFilter={type=DROP_ALL}
shows DROP_ALL
echo "{\"serviceDiscovery\":{\"dns\":{\"hostname\":\"internal-lb.local\"}},\"logging\":$LOGGING,\"listeners\":[$LISTENER]}" > lb.json
appmesh create-virtual-node --mesh-name "$MESH_NAME" --virtual-node-name crystal-lb-vanilla --spec file://lb.json
appmesh create-virtual-service --mesh-name "$MESH_NAME" --virtual-service-name "$CRYSTAL" \
    --spec '{"provider":{"virtualNode":{"virtualNodeName":"crystal-lb-vanilla"}}}'

# mesh_nodejs
appmesh create-virtual-node --mesh-name "$MESH_NAME" --virtual-node-name nodejs-app --spec file://lb.json
appmesh create-virtual-router --mesh-name "$MESH_NAME" --virtual-router-name nodejs-router \
    --spec 'listeners=[{portMapping={port=3000,protocol=http}}]'
appmesh create-route --mesh-name "$MESH_NAME" --virtual-router-name nodejs-router --route-name route-to-nodejs-app \
    --spec 'httpRoute={action={weightedTargets=[{virtualNode=nodejs-app,weight=1}]},match={prefix=/}}'
appmesh create-virtual-service --mesh-name "$MESH_NAME" --virtual-service-name "$NODEJS" \
    --spec 'provider={virtualRouter={virtualRouterName=nodejs-router}}'

# mesh_frontend
cat > frontend.json <<SPEC
{"serviceDiscovery":{"dns":{"hostname":"external-lb.local"}},"logging":$LOGGING,"listeners":[$LISTENER],
 "backends":[{"virtualService":{"virtualServiceName":"$CRYSTAL"}},{"virtualService":{"virtualServiceName":"$NODEJS"}}]}
SPEC
appmesh create-virtual-node --mesh-name "$MESH_NAME" --virtual-node-name frontend --spec file://frontend.json
appmesh create-virtual-service --mesh-name "$MESH_NAME" --virtual-service-name frontend.appmeshworkshop.hosted.local \
    --spec '{"provider":{"virtualNode":{"virtualNodeName":"frontend"}}}'

# servicediscovery
crystal_node crystal-sd-vanilla vanilla-task-set
appmesh create-virtual-router --mesh-name "$MESH_NAME" --virtual-router-name crystal-router \
    --spec '{"listeners":[{"portMapping":{"port":3000,"protocol":"http"}}]}'
LB=crystal-lb-vanilla SD=crystal-sd-vanilla
route create-route crystal-traffic-route "$(by_weight 10 "$(target $LB 1),$(target $SD 0)")"
appmesh update-virtual-service --mesh-name "$MESH_NAME" --virtual-service-name "$CRYSTAL" \
    --spec '{"provider":{"virtualRouter":{"virtualRouterName":"crystal-router"}}}'
route update-route crystal-traffic-route "$(by_weight 10 "$(target $LB 1),$(target $SD 2)")"
route update-route crystal-traffic-route "$(by_weight 10 "$(target $SD 1)")"
appmesh describe-route --mesh-name "$MESH_NAME" --virtual-router-name crystal-router \
    --route-name crystal-traffic-route --query 'route.[metadata.version, status.status, spec.priority]'
shows "$(printf '3\tACTIVE\t10')"

# virtualgateway
appmesh create-virtual-gateway --mesh-name "$MESH_NAME" --virtual-gateway-name ingress-gw \
    --spec 'listeners=[{portMapping={port=8088,protocol=http}}]'
for prefix in eks ecs; do
    service=$([[ $prefix == eks ]] && echo "$NODEJS" || echo "$CRYSTAL")
    cat > gateway-route.json <<SPEC
{"httpRoute":{"action":{"target":{"virtualService":{"virtualServiceName":"$service"}}},"match":{"prefix":"/$prefix"}}}
SPEC
    appmesh create-gateway-route --mesh-name "$MESH_NAME" --virtual-gateway-name ingress-gw \
        --gateway-route-name "gateway-route-$prefix" --spec file://gateway-route.json
done

# deployment
crystal_node crystal-sd-epoch epoch-task-set
route create-route crystal-random-route "$(by_weight 5 "$(target $SD 2),$(target crystal-sd-epoch 1)")"

# policyrouting
HEADERS='"headers":[{"name":"canary_fleet","match":{"exact":"true"}}]'
by_header() {
    echo "{\"httpRoute\":{\"action\":{\"weightedTargets\":[$(target "$1" 1)]},\"match\":{\"prefix\":\"/\",$HEADERS}$2},\"priority\":1}"
}
route create-route crystal-header-route "$(by_header crystal-sd-epoch '')"

# failures
crystal_node crystal-sd-error error-task-set
RETRIES='"retryPolicy":{"maxRetries":10,"perRetryTimeout":{"unit":"s","value":2},"httpRetryEvents":["server-error"]}'
route update-route crystal-header-route "$(by_header crystal-sd-error ",$RETRIES")"
route update-route crystal-random-route "$(by_weight 5 "$(target $SD 2),$(target crystal-sd-error 1)")"
appmesh list-routes --mesh-name "$MESH_NAME" --virtual-router-name crystal-router --query 'length(routes)'
shows 3

# cleanup, in the workshop's order; before it, what Kubernetes would take away
for prefix in eks ecs; do
    appmesh delete-gateway-route --mesh-name "$MESH_NAME" --virtual-gateway-name ingress-gw \
        --gateway-route-name "gateway-route-$prefix"
done
appmesh delete-virtual-gateway --mesh-name "$MESH_NAME" --virtual-gateway-name ingress-gw
for service in "$CRYSTAL" "$NODEJS" frontend.appmeshworkshop.hosted.local; do
    appmesh delete-virtual-service --mesh-name "$MESH_NAME" --virtual-service-name "$service"
done
# The workshop abbreviates this to --mesh. The command line has had --mesh-owner since, and finds that
# ambiguous before it asks a server.
for name in crystal-traffic-route crystal-random-route crystal-header-route; do
    appmesh delete-route --mesh-n "$MESH_NAME" --virtual-router-name crystal-router --route-name "$name"
done
appmesh delete-route --mesh-name "$MESH_NAME" --virtual-router-name nodejs-router --route-name route-to-nodejs-app
for router in crystal-router nodejs-router; do
    appmesh delete-virtual-router --mesh-name "$MESH_NAME" --virtual-router-name "$router"
done
for node in crystal-lb-vanilla crystal-sd-vanilla crystal-sd-epoch crystal-sd-error frontend nodejs-app; do
    appmesh delete-virtual-node --mesh-name "$MESH_NAME" --virtual-node-name "$node"
done
appmesh delete-mesh --mesh "$MESH_NAME"
shows DELETED
appmesh list-meshes --query 'length(meshes)'
shows 0

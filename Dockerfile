# The image: Node, the libraries it links with, and the program. No shell, no package manager. How to run it, and what was checked: docs/container.md.
# Pin the base by digest with --build-arg NODE_IMAGE=node:24.21.0-bookworm-slim@sha256:…
ARG NODE_IMAGE=node:24.21.0-bookworm-slim

# What the program needs of the base; of its packages the licences, and the records that scanners read.
FROM ${NODE_IMAGE} AS system
RUN set -eu; \
    libraries=$(ldd /usr/local/bin/node | grep -o '/[^ ]*'); \
    packages=$(for library in $libraries; do dpkg --search "*/${library##*/}"; done | cut -d: -f1 | sort -u); \
    mkdir -p /rootfs/var/lib/dpkg/status.d; \
    cp --parents --dereference $libraries /usr/local/bin/node /usr/local/LICENSE \
       /etc/nsswitch.conf /etc/os-release /etc/debian_version /rootfs; \
    for package in $packages; do \
      cp --parents --dereference "/usr/share/doc/$package/copyright" /rootfs; \
      dpkg --status "$package" > "/rootfs/var/lib/dpkg/status.d/$package"; \
    done

# Production dependencies, less what only compilers, debuggers and their own authors read.
FROM ${NODE_IMAGE} AS dependencies
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci --omit=dev --ignore-scripts --no-bin-links --no-audit --no-fund
RUN find node_modules -type f \( -name '*.ts' -o -name '*.[cm]ts' -o -name '*.map' -o -path '*/test/*' -o -path '*/tests/*' \) -delete; \
    find node_modules -type d -empty -delete

FROM ${NODE_IMAGE} AS build
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci --ignore-scripts --no-audit --no-fund
COPY tsconfig.json tsconfig.build.json ./
COPY src/ src/
RUN npm run build && find dist -name '*.map' -delete
COPY config/ config/
COPY LICENSE ./
# Whatever the umask of the checkout: everybody may read, the owner alone may write.
RUN chmod -R u=rwX,go=rX dist config LICENSE package.json

FROM scratch AS image
COPY --from=system /rootfs/ /
WORKDIR /app
COPY --from=dependencies /app/node_modules/ node_modules/
COPY --from=build /app/package.json /app/LICENSE ./
COPY --from=build /app/config/ config/
COPY --from=build /app/dist/ dist/

ARG NODE_IMAGE
ARG VERSION=0.1.0
ARG REVISION=unknown
ARG CREATED=unknown
ARG SOURCE=unknown
LABEL org.opencontainers.image.title="rdt-sidecar" \
      org.opencontainers.image.description="HTTP sidecar that gets, caches, throttles and swaps in Restricted Data Tokens for calls to Amazon's Selling Partner API" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${CREATED}" \
      org.opencontainers.image.source="${SOURCE}" \
      org.opencontainers.image.base.name="${NODE_IMAGE}"

# The heap grows to half of the container's memory limit; the rest is for sockets, bodies and Node itself.
ENV PATH=/usr/local/bin \
    NODE_ENV=production \
    NODE_OPTIONS=--max-old-space-size-percentage=50

USER 65532:65532
EXPOSE 8080 9090
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 CMD ["node", "/app/dist/main.js", "healthcheck"]
ENTRYPOINT ["node", "/app/dist/main.js"]
CMD ["serve"]

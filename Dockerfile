# The program in a small image: `docker build -t stackforge .`, or compose.yaml. Written with care, but there was no Docker
# where it was written: it has not been built yet.
FROM golang:1.26-bookworm AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN CGO_ENABLED=0 go build -trimpath -ldflags '-s -w' -o /out/stackforge .

# Slim rather than distroless: the health check needs a client.
FROM debian:bookworm-slim
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates curl \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin stackforge
COPY --from=build /out/stackforge /usr/local/bin/stackforge
USER 10001
WORKDIR /tmp
ENV APP_ENV=production PORT=3000 LOG_FORMAT=json
EXPOSE 3000
# For the API; a worker has no port (compose.yaml turns the check off there).
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s CMD ["curl", "-fsS", "-o", "/dev/null", "http://127.0.0.1:3000/ready"]
ENTRYPOINT ["stackforge"]
CMD ["serve"]

# One image for the worker, the board, the simulator and the one-shot commands: the command says which.
FROM python:3.11-slim AS build

# The pin is the lock's own; a test holds the two together.
RUN pip install --no-cache-dir --disable-pip-version-check uv==0.13.9
WORKDIR /src
COPY pyproject.toml requirements.lock README.md LICENSE ./
COPY streams streams
COPY config config
COPY agents agents
# As a constraint the lock gives versions and hashes, and leaves out what only developers need.
RUN python -m venv /opt/callwatch && \
    uv pip install --no-cache --python /opt/callwatch/bin/python --constraint requirements.lock \
        --build-constraint requirements.lock --compile-bytecode .

FROM python:3.11-slim

RUN useradd --system --uid 10001 --home-dir /nonexistent --no-create-home --shell /usr/sbin/nologin callwatch
COPY --from=build /opt/callwatch /opt/callwatch
ENV PATH=/opt/callwatch/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
# By number, so that Kubernetes can tell that it is not root.
USER 10001
WORKDIR /tmp
EXPOSE 8080
# It asks what a container's own supervisor can mend by a restart: whether the board answers at all.
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s \
    CMD ["python", "-c", "import os, urllib.request as r; r.urlopen('http://127.0.0.1:' + os.environ.get('CALLWATCH_PORT', '8080') + '/healthz', timeout=2)"]
ENTRYPOINT ["callwatch"]
CMD ["board"]

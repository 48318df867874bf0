package rest

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/coder/websocket"
	"github.com/danielgtaylor/huma/v2"

	"stackforge/auth"
	"stackforge/errs"
	"stackforge/httpd"
	"stackforge/realtime"
	"stackforge/repo/job"
	"stackforge/socket"
)

// maxFromClient bounds a message of a client, which is read and dropped.
const maxFromClient = 4 << 10

// sockets adds GET /ws/jobs: every change of the status of the tenant's jobs, as a WebSocket.
func (a *API) sockets() {
	op := operation("Jobs", http.MethodGet, "/ws/jobs", "jobSocket", "Follow jobs over a WebSocket", http.StatusSwitchingProtocols, 400)
	op.Description = "Sends a JobEvent as a text message for every change of a job's status. What a client sends is ignored. Browsers, which cannot " +
		"set headers, authenticate by the subprotocols `bearer` and the token: `new WebSocket(url, ['bearer', token])`.\n\n" +
		"Close codes: 1001 the server stops, 1008 the credential has expired or was revoked, 1009 a message of the client is longer than 4 KiB, " +
		"1013 the client is too slow: connect again and read the jobs anew."
	op.Responses["200"] = &huma.Response{Description: "The socket is open, where a proxy speaks HTTP/2 or later: there is no 101 there."}
	secure(&op, eventsScope)
	answers(&op, "application/json", schemaOf[JobEvent](a))
	a.describe(op)
	a.mux.HandleFunc("GET /ws/jobs", a.socket)
}

// bearerProtocol is the subprotocol that says that the next one is a token.
const bearerProtocol = "bearer"

func (a *API) socket(w http.ResponseWriter, r *http.Request) {
	c, protocol := socketCredentials(r)
	ctx, until, ok := a.caller(w, r, c)
	if !ok {
		return
	}
	if err := a.openSocket(context.WithoutCancel(ctx), w, r, protocol, until); err != nil {
		httpd.WriteError(w, r, err)
	}
}

// openSocket takes a connection over, unless it returns an error. It does not wait for its end, so that what the server holds for a
// request can go.
func (a *API) openSocket(ctx context.Context, w http.ResponseWriter, r *http.Request, protocol []string, until time.Time) error {
	switch {
	case !strings.EqualFold(r.Header.Get("Upgrade"), "websocket"):
		w.Header().Set("Upgrade", "websocket")
		return errs.New(errs.Validation, "This path takes WebSocket upgrades only.")
	case !socket.AllowsOrigin(r, a.Origins):
		return errs.New(errs.Forbidden, "The Origin is not allowed to open a WebSocket here.")
	case !a.streams.enter():
		return errs.New(errs.Unavailable, "The server is shutting down.")
	}
	ctx, cancel := context.WithCancel(ctx)
	// A client that knows that the socket is open gets all that is committed from then on.
	sub, err := a.Subscribe(ctx, transitions(), "")
	var conn *websocket.Conn
	if err == nil {
		conn, _, err = socket.Accept(w, r, websocket.AcceptOptions{Subprotocols: protocol}, a.Times.Answer)
	}
	if err != nil {
		cancel()
		a.streams.leave()
		if refused, ok := errors.AsType[*socket.RefusedError](err); ok {
			return errs.New(errs.Validation, "This is no handshake of a WebSocket: "+refused.Message+".")
		}
		return err
	}
	go ignore(context.WithoutCancel(ctx), cancel, conn) // a timer for each read otherwise
	go func() {
		defer a.streams.leave()
		defer cancel()
		defer conn.CloseNow() //nolint:errcheck // it is often closed already
		if code, reason := a.serve(ctx, conn, sub, until); code != 0 {
			_ = conn.Close(code, reason)
		}
	}()
	return nil
}

// serve sends events until the stream ends; the code is 0 when the client went away.
func (a *API) serve(ctx context.Context, conn *websocket.Conn, sub *realtime.Subscription[*job.Event], until time.Time) (websocket.StatusCode, string) {
	expired, stop := expiry(until)
	defer stop()
	ping := time.NewTicker(a.Times.Ping)
	defer ping.Stop()
	held := a.hold(ctx)
	for {
		select {
		case <-held.Done():
			if ctx.Err() != nil {
				return 0, ""
			}
			return websocket.StatusPolicyViolation, "The credential no longer holds."
		case <-a.streams.closing:
			return websocket.StatusGoingAway, "The server stops; connect again."
		case <-expired:
			return websocket.StatusPolicyViolation, "The credential has expired."
		case <-ping.C:
			if a.within(ctx, conn.Ping) != nil {
				return 0, ""
			}
		case e, ok := <-sub.Events():
			if !ok {
				return ended(sub.Err())
			}
			if e.Reset {
				return websocket.StatusTryAgainLater, "Events were lost; connect again and read the jobs anew."
			}
			if a.within(ctx, func(ctx context.Context) error { return sendFrame(ctx, conn, e) }) != nil {
				return 0, ""
			}
		}
	}
}

// ended is the close code for a subscription that ended by itself.
func ended(err error) (websocket.StatusCode, string) {
	if end, ok := errors.AsType[*realtime.EndError](err); ok && end.Slow {
		return websocket.StatusTryAgainLater, "The client is too slow; connect again and read the jobs anew."
	}
	return websocket.StatusGoingAway, "The stream has ended; connect again."
}

// within gives a client the time it has.
func (a *API) within(ctx context.Context, do func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, a.Times.Answer)
	defer cancel()
	return do(ctx)
}

func sendFrame(ctx context.Context, conn *websocket.Conn, e *job.Event) error {
	text, err := json.Marshal(eventOf(e))
	if err != nil {
		return err
	}
	return conn.Write(ctx, websocket.MessageText, text)
}

// ignore reads what the client sends, which also answers its pings, and ends the stream when it goes away.
func ignore(ctx context.Context, cancel func(), conn *websocket.Conn) {
	defer cancel()
	conn.SetReadLimit(maxFromClient)
	for {
		_, r, err := conn.Reader(ctx)
		if err != nil {
			return
		}
		if _, err := io.Copy(io.Discard, r); err != nil {
			return
		}
	}
}

// socketCredentials are those of the headers, else the token that follows the subprotocol bearer; and the subprotocols to
// accept.
func socketCredentials(r *http.Request) (auth.Credentials, []string) {
	c := auth.FromRequest(r)
	var offered []string
	for _, line := range r.Header["Sec-Websocket-Protocol"] {
		for name := range strings.SplitSeq(line, ",") {
			offered = append(offered, strings.TrimSpace(name))
		}
	}
	if len(offered) != 2 || offered[0] != bearerProtocol {
		return c, nil
	}
	if c.Empty() {
		c.Bearer = offered[1]
	}
	return c, []string{bearerProtocol}
}

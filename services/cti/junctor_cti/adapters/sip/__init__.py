"""SIP: transports, transactions, dialogs and legs of the built-in edge. `SipEdge` is the way in."""

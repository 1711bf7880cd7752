//! A bare actix-web server that reads a body and answers with fixed bytes: what `keyward bench` measures
//! beside the service. It has the service's HTTP settings and nothing else of it.

use actix_web::{App, HttpResponse, HttpServer, web};
use std::{io, net::SocketAddr};

/// Serves until the process ends.
pub fn serve(listen: SocketAddr, answer_bytes: usize) -> io::Result<()> {
    let answer = web::Bytes::from(vec![b'x'; answer_bytes]);
    actix_web::rt::System::new().block_on(async move {
        let app = move || {
            let answer = answer.clone();
            App::new().default_service(web::to(move |_body: web::Bytes| {
                let answer = answer.clone();
                async move { HttpResponse::Ok().content_type("application/x-amz-json-1.1").body(answer) }
            }))
        };
        HttpServer::new(app).bind(listen)?.run().await
    })
}

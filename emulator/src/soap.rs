//! The SOAP API: only the refusal of `login()`, as orgs answer where it is switched off.

use http::StatusCode;

use crate::answer::Answer;
use crate::payload::Payload;

const CODE: &str = "INVALID_OPERATION";
const MESSAGE: &str = "SOAP API login() is disabled by default in this org";

/// `POST /services/Soap/u/NN.0` and `/c/`: a fault of the partner API, status 500.
pub(crate) fn login_is_disabled() -> Answer {
    let fault = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><soapenv:Envelope \
         xmlns:soapenv=\"http://schemas.xmlsoap.org/soap/envelope/\" xmlns:sf=\"urn:fault.partner.soap.sforce.com\" \
         xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\"><soapenv:Body><soapenv:Fault>\
         <faultcode>sf:{CODE}</faultcode><faultstring>{CODE}: {MESSAGE}</faultstring>\
         <detail><sf:LoginFault xsi:type=\"sf:LoginFault\"><sf:exceptionCode>{CODE}</sf:exceptionCode>\
         <sf:exceptionMessage>{MESSAGE}</sf:exceptionMessage><sf:row>-1</sf:row><sf:column>-1</sf:column>\
         </sf:LoginFault></detail></soapenv:Fault></soapenv:Body></soapenv:Envelope>"
    );
    let body = Payload::bytes(fault);
    Answer::typed(StatusCode::INTERNAL_SERVER_ERROR, "text/xml;charset=UTF-8", body)
}
